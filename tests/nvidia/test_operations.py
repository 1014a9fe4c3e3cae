"""Counted arithmetic against published figures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.artifact import Artifact
from engine.formats import torch_module
from engine.profiling.operations import count
from engine.spec import ModelSpec, TensorSpec
from tests.nvidia.conftest import export


def images(side: int = 224) -> ModelSpec:
    pixels = TensorSpec("pixels", "float32", ("batch", 3, side, side))
    return ModelSpec("model", "torch-module", (pixels,), (TensorSpec("scores", "float32", ("batch", 1000)),))


def module_of(architecture: str, folder: Path, **arguments: object) -> Artifact:
    from engine import catalog

    module = catalog.build(architecture, arguments)
    return Artifact("torch-module", torch_module.write(folder, architecture, arguments, module.state_dict()))


def test_resnet50_has_4_1_billion_multiply_adds(tmp_path: Path) -> None:
    work = count(module_of("torchvision.resnet50", tmp_path), images())
    assert work is not None
    assert work.flops / 2 == pytest.approx(4.09e9, rel=0.01)
    assert work.weights == pytest.approx(25.56e6, rel=0.01)


def test_a_vision_transformer_has_17_6_billion_multiply_adds(tmp_path: Path) -> None:
    work = count(module_of("torchvision.vit_b_16", tmp_path), images())
    assert work is not None
    assert work.flops / 2 == pytest.approx(17.56e9, rel=0.02)


def test_two_layers_of_bert_base_at_128_tokens_are_a_sixth_of_11_billion(
    bert_layers: Artifact, bert_spec: ModelSpec
) -> None:
    work = count(bert_layers, replace(bert_spec, sizes={"length": 128}))
    assert work is not None
    assert work.flops / 2 == pytest.approx(11.17e9 / 6, rel=0.01)


def test_a_graph_counts_like_the_module_it_came_from(
    digits_module: object, digits_onnx: Artifact, digits_spec: ModelSpec
) -> None:
    work = count(digits_onnx, digits_spec)
    assert work is not None
    convolutions = 64 * 16 * 9 + 64 * 32 * 16 * 9 + 16 * 64 * 32 * 9
    assert work.flops == 2 * (convolutions + 256 * 10)
    assert work.io_bytes == (64 + 10) * 4


def test_a_fixed_batch_is_counted_per_sample(digits_module: object, tmp_path: Path) -> None:
    import torch

    path = tmp_path / "model.onnx"
    torch.onnx.export(digits_module, (torch.rand(4, 1, 8, 8),), str(path), dynamo=False, input_names=["pixels"])
    fixed, free = (
        ModelSpec("m", "onnx", (TensorSpec("pixels", "float32", (batch, 1, 8, 8)),), ()) for batch in (4, "batch")
    )
    one, other = count(Artifact("onnx", path), fixed), count(Artifact("onnx", path, details={"batch_size": 4}), free)
    assert one == other
    assert one is not None


def test_grouped_convolutions_count_their_own_channels_only(tmp_path: Path) -> None:
    import torch

    path = tmp_path / "model.onnx"
    export(torch.nn.Conv2d(8, 8, 3, padding=1, groups=8), (torch.rand(2, 8, 4, 4),), path, ["x"], ["y"])
    spec = ModelSpec("model", "onnx", (TensorSpec("x", "float32", ("batch", 8, 4, 4)),), ())
    work = count(Artifact("onnx", path), spec)
    assert work is not None
    assert work.flops == 2 * 8 * 16 * 9


def test_a_format_that_can_not_be_counted_says_nothing(tmp_path: Path) -> None:
    assert count(Artifact("tensorrt-engine", tmp_path / "engine.plan"), images()) is None


def test_an_engine_remembers_what_its_graph_counted(tmp_path: Path) -> None:
    stored = {"work": {"flops": 8.0, "weights": 2.0, "io_bytes": 4.0}}
    work = count(Artifact("tensorrt-engine", tmp_path / "engine.plan", details=stored), images())
    assert work is not None
    assert (work.flops, work.weights, work.io_bytes) == (8.0, 2.0, 4.0)


def silero(name: str, *inputs: TensorSpec) -> tuple[Artifact, ModelSpec]:
    silero_vad = pytest.importorskip("silero_vad")
    path = Path(silero_vad.__file__).parent / "data" / f"{name}.onnx"
    return Artifact("onnx", path), ModelSpec("silero", "onnx", inputs, ())


def test_shapes_that_inference_can_not_follow_are_seen_by_running_the_graph() -> None:
    state = (1, 1, 128)
    work = count(
        *silero(
            "silero_vad_16k_sequence",
            TensorSpec("input", "float32", (128, 576)),
            TensorSpec("h", "float32", state),
            TensorSpec("c", "float32", state),
        )
    )
    assert work is not None
    assert work.flops > 1e6


def test_what_lies_in_branches_is_not_guessed() -> None:
    inputs = (
        TensorSpec("input", "float32", ("batch", 512)),
        TensorSpec("sr", "int64", ()),
        TensorSpec("state", "float32", (2, "batch", 128)),
    )
    assert count(*silero("silero_vad_op18_ifless", *inputs)) is None
