"""Sizes, ranges and batches that inspection has to guess, as files from elsewhere need them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Opener
from graphs import FLOAT, FLOAT16, INT32, classifier, graph, weights
from torch import nn

from engine.data.matching import require_batch_in_front
from engine.errors import BadInput
from engine.inspection.dimensions import default_sizes
from engine.spec import TensorSpec

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning", "ignore:.*torch.jit:DeprecationWarning")


def test_films_pictures_and_sound_have_their_usual_sizes() -> None:
    film = TensorSpec("x", "float32", ("batch", 3, "frames", "height", "width"))
    picture = TensorSpec("y", "float32", ("batch", 3, "Dim.1", "Dim.2"))
    sound = TensorSpec("z", "float32", ("batch", "num_samples"))
    assert default_sizes([film]) == {"frames": 16, "height": 112, "width": 112}
    assert default_sizes([picture]) == {"Dim.1": 224, "Dim.2": 224}
    assert default_sizes([sound]) == {"num_samples": 16000}


def test_numbers_compared_with_all_codes_are_codes(tmp_path: Path, opened: Opener) -> None:
    nodes: list[Any] = [
        ("Reshape", ["bytes", "s"], ["r"], {}),
        ("Equal", ["r", "codes"], ["e"], {}),
        ("Cast", ["e"], ["f"], {"to": FLOAT}),
        ("MatMul", ["f", "w"], ["y"], {}),
    ]
    stored = {"s": np.array([-1, 12, 1]), "codes": np.arange(40, dtype=np.int32).reshape(1, 1, 40), "w": weights(40, 3)}
    spec = opened(graph(tmp_path / "m.onnx", nodes, [("bytes", INT32, ("n", 12))], [("y", FLOAT, None)], stored))
    assert (spec.inputs[0].low, spec.inputs[0].high) == (0, 40)


def test_a_batch_may_come_after_the_sequence(tmp_path: Path, opened: Opener) -> None:
    nodes: list[Any] = [("MatMul", ["x", "w"], ["y"], {})]
    inputs = [("x", FLOAT, ("seq", "batch", 4))]
    spec = opened(graph(tmp_path / "m.onnx", nodes, inputs, [("y", FLOAT, ("seq", "batch", 2))], {"w": weights(4, 2)}))
    assert spec.batch_dimension == "batch"
    assert spec.inputs[0].concrete(spec.sizes_at(3)) == (128, 3, 4)
    with pytest.raises(BadInput, match="batch as dimension 2"):
        require_batch_in_front(spec)


def test_a_leading_dimension_that_is_no_batch_holds_one_sample(tmp_path: Path, opened: Opener) -> None:
    inputs = [("x", FLOAT, ("num_nodes", 4))]
    nodes: list[Any] = [("MatMul", ["x", "w"], ["y"], {})]
    spec = opened(graph(tmp_path / "m.onnx", nodes, inputs, [("y", FLOAT, None)], {"w": weights(4, 2)}))
    assert spec.fixed_batch == 1


def test_an_upload_in_half_precision_is_judged_as_such(tmp_path: Path, opened: Opener) -> None:
    stored = {"w": weights(4, 2).astype(np.float16)}
    nodes: list[Any] = [("MatMul", ["x", "w"], ["y"], {})]
    opened(graph(tmp_path / "m.onnx", nodes, [("x", FLOAT16, ("n", 4))], [("y", FLOAT16, ("n", 2))], stored))
    assert json.loads((tmp_path / "artifact/artifact.json").read_text())["details"]["precision"] == "fp16"
    opened(classifier(tmp_path / "n.onnx"))
    assert "precision" not in json.loads((tmp_path / "artifact/artifact.json").read_text())["details"]


def test_a_script_that_lost_its_weights_to_an_optimization_says_so(tmp_path: Path, opened: Opener) -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval()
    torch.jit.optimize_for_inference(torch.jit.script(module)).save(str(tmp_path / "m.pt"))
    with pytest.raises(BadInput, match="optimize_for_inference"):
        opened(tmp_path / "m.pt")
