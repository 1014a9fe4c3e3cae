"""INT8 by Q/DQ nodes, calibrated on the digits sample's own data and run on the CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from engine.artifact import Artifact
from engine.data.prepared import Prepared
from engine.errors import BadInput
from engine.spec import ModelSpec
from engine.steps.qdq_int8 import Int8QDQ
from tests.nvidia.context import GivenContext


def accuracy(path: Path, data: Prepared) -> float:
    test = data.split("test")
    assert test.labels is not None
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    scores = session.run(None, {"pixels": test.feeds["pixels"]})[0]
    return float(np.mean(scores.argmax(1) == test.labels))


@pytest.mark.parametrize("calibration", ["minmax", "entropy", "percentile"])
def test_it_keeps_the_accuracy_of_the_digits_model(
    calibration: str, digits_onnx: Artifact, digits_spec: ModelSpec, digits_data: Prepared, tmp_path: Path
) -> None:
    step = Int8QDQ(calibration=calibration)
    made = step.apply(digits_onnx, GivenContext(digits_spec, tmp_path, data=digits_data))
    assert made.precision == "int8"
    assert accuracy(made.path, digits_data) >= accuracy(digits_onnx.path, digits_data) - 0.01
    assert made.size_bytes() < 0.5 * digits_onnx.size_bytes()


def test_for_tensorrt_it_is_symmetric_and_leaves_biases_alone(
    digits_onnx: Artifact, digits_spec: ModelSpec, digits_data: Prepared, tmp_path: Path
) -> None:
    made = Int8QDQ(target="tensorrt").apply(digits_onnx, GivenContext(digits_spec, tmp_path, data=digits_data))
    weights = {each.name: onnx.numpy_helper.to_array(each) for each in onnx.load(made.path).graph.initializer}
    points = [value for name, value in weights.items() if name.endswith("zero_point")]
    assert points
    assert all(not value.any() for value in points)
    assert not any(value.dtype == np.int32 for value in weights.values())


def test_it_reports_the_error_of_each_layer_worst_first(
    digits_onnx: Artifact, digits_spec: ModelSpec, digits_data: Prepared, tmp_path: Path
) -> None:
    made = Int8QDQ().apply(digits_onnx, GivenContext(digits_spec, tmp_path, data=digits_data))
    report = made.details["report"]
    assert len(report) >= 4
    assert report == sorted(report, key=lambda row: row["snr_db"])
    assert 10 < report[0]["snr_db"] < 60


def test_excluded_nodes_stay_in_fp32(
    digits_onnx: Artifact, digits_spec: ModelSpec, digits_data: Prepared, tmp_path: Path
) -> None:
    made = Int8QDQ(exclude="*classifier*").apply(digits_onnx, GivenContext(digits_spec, tmp_path, data=digits_data))
    graph = onnx.load(made.path).graph
    gemm = next(each for each in graph.node if each.op_type == "Gemm")
    makers = {name: node.op_type for node in graph.node for name in node.output}
    assert makers.get(gemm.input[1]) != "DequantizeLinear"


def test_a_pattern_that_means_no_node_is_named(
    digits_onnx: Artifact, digits_spec: ModelSpec, digits_data: Prepared, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match="nonsense"):
        Int8QDQ(exclude="nonsense").apply(digits_onnx, GivenContext(digits_spec, tmp_path, data=digits_data))


def test_too_few_samples_are_refused(
    digits_onnx: Artifact, digits_spec: ModelSpec, digits_data: Prepared, tmp_path: Path
) -> None:
    few = Prepared("few", "d", digits_data.feeds, digits_data.labels, {"calibration": np.arange(3)})
    with pytest.raises(BadInput, match="at least 8 samples"):
        Int8QDQ().apply(digits_onnx, GivenContext(digits_spec, tmp_path, data=few))


def test_without_a_data_set_it_does_not_run(digits_onnx: Artifact, digits_spec: ModelSpec, tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        Int8QDQ().apply(digits_onnx, GivenContext(digits_spec, tmp_path))


def test_a_half_precision_graph_is_refused(digits_spec: ModelSpec, digits_data: Prepared, tmp_path: Path) -> None:
    half = Artifact("onnx", tmp_path / "model.onnx", details={"precision": "fp16"})
    with pytest.raises(BadInput, match="FP16"):
        Int8QDQ().apply(half, GivenContext(digits_spec, tmp_path, data=digits_data))
