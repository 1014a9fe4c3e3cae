"""Bare weights in every wrapping people use, fitted into an architecture."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Opener
from safetensors.torch import save_file
from torch import nn

from engine import catalog
from engine.artifact import read_manifest
from engine.errors import BadInput
from engine.feeds import random_feeds
from engine.formats import torch_module
from engine.torch_bridge import positional

SOURCE = """
from torch import nn

DESCRIPTIONS = {"net": {"inputs": [{"name": "x", "dtype": "float32", "shape": ["batch", 6]}], "task": "classification"}}

def net(width=5):
    return nn.Sequential(nn.Linear(6, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, 3))

class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.head = nn.Linear(4, 2)

    def forward(self, image):
        return self.head(self.conv(image).mean((2, 3)))

def number():
    return 7
"""


@pytest.fixture(autouse=True)
def architectures(home: Path) -> None:
    (home / "architectures").mkdir(exist_ok=True)
    (home / "architectures" / "mine.py").write_text(SOURCE)


def net(width: int = 5) -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(6, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, 3)).eval()


def loaded(tmp_path: Path) -> nn.Module:
    return torch_module.load(read_manifest(tmp_path / "artifact").path)


STATE = net().state_dict()
OPTIMIZER = torch.optim.Adam(net().parameters()).state_dict()


@pytest.mark.parametrize(
    ("checkpoint", "note"),
    [
        (dict(STATE), ""),
        ({"state_dict": STATE, "epoch": 3, "optimizer": OPTIMIZER}, "left out: epoch, optimizer"),
        ({"model_state": STATE, "loss": 0.5}, "left out: loss"),
        ({"model": {"state_dict": STATE}, "args": {"lr": 0.1}}, "left out: args"),
        ({f"module.{key}": value for key, value in STATE.items()}, "'module.' was stripped"),
        ({"state_dict": {f"_orig_mod.module.{k}": v for k, v in STATE.items()}}, "'_orig_mod.' was stripped"),
        ({f"model.{key}": value for key, value in STATE.items()}, "'model.' was stripped"),
        ({key: value for key, value in STATE.items() if "num_batches" not in key}, ""),
        ({**STATE, "config": "text", "step": 5}, "Not tensors, left out: config, step"),
    ],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_checkpoints_give_their_weights(
    tmp_path: Path, opened: Opener, checkpoint: dict[str, Any], note: str, zipped: bool
) -> None:
    torch.save(checkpoint, tmp_path / "net.pth", _use_new_zipfile_serialization=zipped)
    spec = opened(tmp_path / "net.pth", architecture="operator.mine.net")
    assert note in " ".join(spec.notes)
    x = torch.randn(4, 6)
    assert torch.equal(loaded(tmp_path)(x), net()(x))
    assert (spec.inputs[0].name, spec.task, spec.parameters) == ("x", "classification", 63)


def test_half_precision_weights_are_widened_with_a_note(tmp_path: Path, opened: Opener) -> None:
    half = {key: value.half() if value.is_floating_point() else value for key, value in STATE.items()}
    save_file(half, str(tmp_path / "net.safetensors"))
    spec = opened(tmp_path / "net.safetensors", architecture="operator.mine.net")
    assert "float16 were widened" in spec.notes[0]
    assert {each.dtype for each in loaded(tmp_path).parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.pop("3.bias"), "1 missing (3.bias)"),
        (lambda s: s.update(extra=torch.ones(1)), "1 unexpected (extra)"),
        (lambda s: s.update({"3.weight": torch.ones(9, 5)}), "3.weight is (9, 5), expected (3, 5)"),
    ],
)
def test_weights_that_do_not_fit_name_the_keys(
    tmp_path: Path, opened: Opener, change: Callable[[dict[str, torch.Tensor]], Any], words: str
) -> None:
    state = dict(STATE)
    change(state)
    torch.save(state, tmp_path / "net.pth")
    with pytest.raises(BadInput) as caught:
        opened(tmp_path / "net.pth", architecture="operator.mine.net")
    assert words in caught.value.reason
    assert "architecture" in caught.value.hint


@pytest.mark.parametrize("content", [torch.ones(3), [1, 2], {}, {"epoch": 1}, {"a": {"b": 1}}])
def test_files_without_a_state_dict(tmp_path: Path, opened: Opener, content: Any) -> None:
    torch.save(content, tmp_path / "net.pth")
    with pytest.raises(BadInput) as caught:
        opened(tmp_path / "net.pth", architecture="operator.mine.net")
    assert "state_dict()" in caught.value.hint


def test_arguments_reach_the_architecture(tmp_path: Path, opened: Opener) -> None:
    torch.save(net(7).state_dict(), tmp_path / "net.pth")
    with pytest.raises(BadInput, match="of another shape"):
        opened(tmp_path / "net.pth", architecture="operator.mine.net")
    assert opened(tmp_path / "net.pth", architecture="operator.mine.net", arguments={"width": 7}).parameters == 87
    with pytest.raises(BadInput, match="could not be built"):
        opened(tmp_path / "net.pth", architecture="operator.mine.net", arguments={"depth": 7})


def test_an_architecture_that_says_nothing_is_probed(tmp_path: Path, opened: Opener) -> None:
    spec = opened("", architecture="operator.mine.Plain")
    assert spec.inputs[0].shape == ("batch", 3, "height", "width")
    assert spec.outputs[0].shape == ("batch", 2)
    assert "input image" in spec.guessed
    assert "random" in spec.notes[0]


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("operator.mine.number", "not a torch.nn.Module"),
        ("operator.mine.nett", "no architecture"),
        ("operator.other.net", "no architecture"),
        ("torchvision.resnet19", "no architecture"),
        ("nonsense", "no architecture"),
        ("os.system", "no architecture"),
        ("transformers.pipeline", "no model class"),
        ("timm.resnet19xyz", "could not be built"),
    ],
)
def test_unknown_architectures_say_what_is_near(opened: Opener, name: str, word: str) -> None:
    with pytest.raises(BadInput, match=word) as caught:
        opened("", architecture=name)
    assert caught.value.hint


def test_random_weights_are_settled_and_repeatable(tmp_path: Path, opened: Opener) -> None:
    name = "torchvision.mobilenet_v3_small"
    spec = opened("", architecture=name, arguments={"num_classes": 10})
    first = loaded(tmp_path).state_dict()
    x = torch.randn(4, 3, 224, 224)
    with torch.no_grad():
        output = loaded(tmp_path)(x)
    assert output.std() > 1e-3, "the outputs of an unsettled network vanish"
    assert (output[0] - output[1]).abs().max() > 1e-4
    opened("", architecture=name, arguments={"num_classes": 10})
    second = loaded(tmp_path).state_dict()
    assert all(torch.equal(value, second[key]) for key, value in first.items())
    assert "random" in spec.notes[0]


def test_options_and_numbers_beside_the_weights_do_no_harm(tmp_path: Path, opened: Opener) -> None:
    weights = catalog.build("sample.digits", {}).state_dict()
    beside = {"args": argparse.Namespace(lr=0.1), "best": np.float64(0.9), "rows": np.int64(3)}
    torch.save({"model": weights, **beside}, tmp_path / "checkpoint.pth")
    spec = opened(tmp_path / "checkpoint.pth", architecture="sample.digits")
    assert "left out: args, best, rows" in spec.notes[0]


@pytest.mark.parametrize("kind", ["ViTForImageClassification", "T5ForConditionalGeneration", "BertModel"])
def test_transformers_folders_answer_as_they_did(tmp_path: Path, opened: Opener, kind: str) -> None:
    transformers = pytest.importorskip("transformers")
    small = {"num_hidden_layers": 1, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 16}
    configs = {
        "ViTForImageClassification": {**small, "image_size": 16, "patch_size": 8},
        "T5ForConditionalGeneration": {"vocab_size": 20, "d_model": 16, "d_kv": 4, "d_ff": 16, "num_layers": 1},
        "BertModel": {**small, "vocab_size": 200, "max_position_embeddings": 32},
    }
    model = getattr(transformers, kind)
    original = model(model.config_class(**configs[kind])).eval()
    original.save_pretrained(tmp_path / "folder", max_shard_size="12KB" if kind == "BertModel" else "1GB")
    spec = opened(tmp_path / "folder")
    module = torch_module.load(read_manifest(tmp_path / "artifact").path)
    feeds = positional(random_feeds(spec, 2, 0), spec)
    names = [each.name for each in spec.inputs]
    with torch.no_grad():
        expected = original(**dict(zip(names, feeds, strict=True)))[0]
        assert torch.allclose(module(*feeds)[0], expected, atol=1e-6)
