"""Models of every kind, made once: the trained digits sample, a small BERT, and what steps need around them."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.artifact import Artifact
from engine.data import bundled
from engine.data.prepared import Prepared
from engine.measure.nvml import device_count
from engine.runtimes.base import Site
from engine.spec import ModelSpec, TensorSpec

BERT = {"vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}


@pytest.fixture(scope="session")
def digits_spec() -> ModelSpec:
    pixels = TensorSpec("pixels", "float32", ("batch", 1, 8, 8), low=0.0, high=1.0)
    return ModelSpec("digits", "onnx", (pixels,), (TensorSpec("scores", "float32", ("batch", 10)),))


@pytest.fixture(scope="session")
def digits_module() -> Any:
    from safetensors.torch import load_file

    from sample_models.digits import architecture

    module = architecture.build().eval()
    module.load_state_dict(load_file(Path(architecture.__file__).parent / "weights.safetensors"))
    return module


@pytest.fixture(scope="session")
def digits_onnx(digits_module: Any, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    import torch

    path = tmp_path_factory.mktemp("digits") / "model.onnx"
    export(digits_module, (torch.rand(2, 1, 8, 8),), path, ["pixels"], ["scores"])
    return Artifact("onnx", path)


@pytest.fixture(scope="session")
def bert_spec() -> ModelSpec:
    ids = TensorSpec("input_ids", "int64", ("batch", "length"), low=0, high=64)
    mask = replace(ids, name="attention_mask", low=1, high=2)
    outputs = (TensorSpec("hidden", "float32", ("batch", "length", 32)),)
    return ModelSpec("bert", "onnx", (ids, mask), outputs, sizes={"length": 16})


@pytest.fixture(scope="session")
def bert_onnx(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return bert(tmp_path_factory.mktemp("bert"), **BERT)


@pytest.fixture(scope="session")
def bert_layers(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """Two of BERT-base's twelve layers, with a small vocabulary, which changes no arithmetic."""
    return bert(tmp_path_factory.mktemp("bert-layers"), vocab_size=64, num_hidden_layers=2)


def bert(folder: Path, **settings: Any) -> Artifact:
    """A BERT encoder with random weights as an ONNX graph of dynamic batch and length."""
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    model = BertModel(BertConfig(**settings), add_pooling_layer=False).eval()

    class ByPosition(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            return self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state

    ids = torch.randint(0, 64, (2, 16))
    path = folder / "model.onnx"
    export(ByPosition(), (ids, torch.ones_like(ids)), path, ["input_ids", "attention_mask"], ["hidden"], length=True)
    return Artifact("onnx", path)


def export(
    module: Any, arguments: tuple[Any, ...], path: Path, inputs: list[str], outputs: list[str], length: bool = False
) -> None:
    """Export with a dynamic batch, and a dynamic length where asked for."""
    import torch

    axes = {0: "batch", 1: "length"} if length else {0: "batch"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            arguments,
            str(path),
            dynamo=False,
            opset_version=17,
            input_names=inputs,
            output_names=outputs,
            dynamic_axes=dict.fromkeys((*inputs, *outputs), axes),
        )


@pytest.fixture(scope="session")
def digits_data() -> Prepared:
    raw = bundled.digits()
    assert raw.split is not None
    feeds = {"pixels": raw.arrays["pixels"]}
    splits = {name: np.flatnonzero(raw.split == name) for name in ("train", "validation", "test")}
    splits["calibration"] = splits["train"][:128]
    return Prepared("digits", "digest", feeds, raw.labels, splits)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(device="cuda:0", threads=1, batch_size=4, scratch=tmp_path, cache=tmp_path / "cache")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests marked `gpu` need one."""
    if item.get_closest_marker("gpu"):
        count, why_none = device_count()
        if not count:
            pytest.skip(f"no NVIDIA GPU: {why_none}")
