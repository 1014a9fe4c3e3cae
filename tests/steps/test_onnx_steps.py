"""Steps on ONNX graphs as old exporters wrote them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from engine.artifact import write_manifest
from engine.conversion.onnx_export import explained
from engine.errors import Unsupported
from engine.formats.onnx import Onnx
from engine.inspection.onnx_graph import inspect_onnx
from tests.formats.graphs import graph, weights
from tests.steps.models import build_route


def test_weights_that_are_also_inputs_can_be_simplified(tmp_path: Path) -> None:
    values = [helper.make_tensor_value_info("x", 1, ["n", 4]), helper.make_tensor_value_info("w", 1, [4, 2])]
    weight = numpy_helper.from_array(np.ones((4, 2), np.float32), "w")
    output = helper.make_tensor_value_info("y", 1, ["n", 2])
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "old", values, [output], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 8)])
    model.ir_version = 3
    onnx.save(model, str(tmp_path / "old.onnx"))
    artifact = Onnx.admit(tmp_path / "old.onnx", tmp_path / "model", {})
    write_manifest(tmp_path / "model", artifact)
    spec = inspect_onnx(artifact, lambda *_: None)
    result, _ = build_route(tmp_path / "model", spec, "onnx-simplify", tmp_path / "work")
    assert (result.status, result.reason) == ("ok", "")


def test_half_of_a_model_in_16_bits_is_refused_and_says_why(tmp_path: Path) -> None:
    values = [helper.make_tensor_value_info(name, 10, ["n", 4]) for name in ("x", "y")]
    weight = numpy_helper.from_array(np.ones((4, 4), np.float16), "w")
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", values[:1], values[1:], [weight])
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(tmp_path / "half.onnx")
    )
    artifact = Onnx.admit(tmp_path / "half.onnx", tmp_path / "model", {})
    write_manifest(tmp_path / "model", artifact)
    spec = inspect_onnx(artifact, lambda *_: None)
    for step, said in (("half", "already stored in FP16"), ("bfloat16", "stored in FP16, so Bfloat16")):
        result, _ = build_route(tmp_path / "model", spec, step, tmp_path / "work")
        assert result.status == "unsupported"
        assert said in result.reason


@pytest.mark.parametrize("padding", ["SAME_UPPER", "SAME_LOWER", "VALID"])
@pytest.mark.parametrize("size", [15, 16])
def test_a_graph_of_other_frameworks_becomes_a_module(padding: str, size: int, tmp_path: Path) -> None:
    """Weights in Constant nodes (Paddle), padding by name (TensorFlow) and a global maximum; the step compares."""
    constant = helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(weights(8, 3, 3, 3)))
    path = graph(
        tmp_path / "other.onnx",
        [
            ("Conv", ["x", "w"], ["c"], {"auto_pad": padding, "strides": [2, 2], "kernel_shape": [3, 3]}),
            ("MaxPool", ["c"], ["m"], {"auto_pad": padding, "strides": [2, 2], "kernel_shape": [2, 2]}),
            ("GlobalMaxPool", ["m"], ["g"], {}),
            ("Flatten", ["g"], ["y"], {}),
        ],
        [("x", 1, ("n", 3, size, size))],
        [("y", 1, ("n", 8))],
    )
    model = onnx.load(str(path))
    model.graph.node.insert(0, constant)
    onnx.save(model, str(path))
    artifact = Onnx.admit(path, tmp_path / "model", {})
    write_manifest(tmp_path / "model", artifact)
    spec = inspect_onnx(artifact, lambda *_: None)
    result, _ = build_route(tmp_path / "model", spec, "onnx-to-module", tmp_path / "work")
    assert (result.status, result.reason) == ("ok", "")


def test_a_class_that_the_exporter_cannot_write_is_unsupported_and_named() -> None:
    words = (
        "Unknown type __torch__.detection.BoxCoder (of Python compilation unit at: 0x557c3be5b080) encountered in "
        "handling model params. This class type does not extend __getstate__ method.:"
    )
    found = explained(RuntimeError(words), "TorchScript")
    assert isinstance(found, Unsupported)
    assert "BoxCoder encountered in handling" in found.reason
    assert "0x" not in found.reason
