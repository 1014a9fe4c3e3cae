"""Engines built without a GPU: TensorRT for RTX compiles them ahead, so its builder can be tested anywhere."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from engine.artifact import Artifact
from engine.data.prepared import Prepared
from engine.errors import BadInput, Unsupported
from engine.runtimes import tensorrt_library
from engine.spec import ModelSpec, TensorSpec
from engine.steps import step_for
from engine.steps.qdq_int8 import Int8QDQ
from engine.steps.tensorrt_build import TensorRTBuild, refused
from tests.nvidia.context import GivenContext

pytest.importorskip("tensorrt_rtx", reason="TensorRT for RTX is not installed")


@pytest.mark.parametrize("static", [4, None])
@pytest.mark.parametrize("step", [None, "half"])
def test_it_builds_what_was_asked_for(
    step: str | None, static: int | None, digits_onnx: Artifact, digits_spec: ModelSpec, tmp_path: Path
) -> None:
    source = digits_onnx
    if step:
        narrow = step_for(step, "onnx")
        assert narrow is not None
        (tmp_path / "narrow").mkdir()
        source = narrow().apply(source, GivenContext(digits_spec, tmp_path / "narrow", device="cpu"))
    made = TensorRTBuild().apply(source, GivenContext(digits_spec, tmp_path, static_batch=static))
    assert made.format == "tensorrt-engine"
    assert made.precision == ("fp16" if step else "tf32")  # this library computes in TF32 whatever the flag says
    assert made.details.get("batch_size") == static
    assert made.details["output_names"] == ["scores"]
    assert made.details["network_layers"] >= 10
    assert made.details["work"]["flops"] > 1e6
    assert made.size_bytes() > 50_000


def graph(tmp_path: Path, *nodes: onnx.NodeProto, shape: tuple[object, ...] = ("batch", 3, 3)) -> Artifact:
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    domains = [helper.make_opsetid("", 18), helper.make_opsetid("com.acme", 1)]
    model = helper.make_model(helper.make_graph(nodes, "g", inputs, outputs), opset_imports=domains, ir_version=9)
    onnx.save(model, tmp_path / "graph.onnx")
    return Artifact("onnx", tmp_path / "graph.onnx")


SQUARE = ModelSpec("square", "onnx", (TensorSpec("x", "float32", ("batch", 3, 3)),), ())


def test_operators_it_does_not_take_are_named_with_their_nodes(tmp_path: Path) -> None:
    source = graph(
        tmp_path,
        helper.make_node("Det", ["x"], ["z"], name="determinant"),
        helper.make_node("Turn", ["z"], ["y"], name="custom", domain="com.acme"),
    )
    with pytest.raises(Unsupported, match=r"Det \(node determinant\), the operator Turn \(node custom\)"):
        TensorRTBuild().apply(source, GivenContext(SQUARE, tmp_path))


def test_a_graph_of_a_fixed_batch_refuses_another(tmp_path: Path) -> None:
    source = graph(tmp_path, helper.make_node("Relu", ["x"], ["y"]), shape=(2, 3, 3))
    with pytest.raises(BadInput, match="fixes input x at 2x3x3, and 4x3x3"):
        TensorRTBuild().apply(source, GivenContext(SQUARE, tmp_path, static_batch=4))


def test_int8_convolutions_are_unsupported_and_the_builder_is_quoted(
    digits_onnx: Artifact, digits_spec: ModelSpec, digits_data: Prepared, tmp_path: Path
) -> None:
    (tmp_path / "int8").mkdir()
    context = GivenContext(digits_spec, tmp_path / "int8", data=digits_data)
    quantized = Int8QDQ(target="tensorrt").apply(digits_onnx, context)
    with pytest.raises(Unsupported, match="takes Float, Half, BF16, FP8E4M3 only"):
        TensorRTBuild().apply(quantized, GivenContext(digits_spec, tmp_path, static_batch=4))


def test_an_optimization_level_that_may_change_nothing_is_mentioned(
    digits_onnx: Artifact, digits_spec: ModelSpec, tmp_path: Path
) -> None:
    context = GivenContext(digits_spec, tmp_path, static_batch=4)
    TensorRTBuild(optimization_level=5).apply(digits_onnx, context)
    assert any("optimization level" in each for each in context.warnings)


def test_memory_that_runs_out_while_building_has_its_own_status() -> None:
    library = tensorrt_library.load()
    assert refused(library, ["Error Code 2: OutOfMemory (Requested size was 17179869184 bytes.)"]).status == "oom"
    assert refused(library, ["Could not find any implementation for node conv1."]).status == "unsupported"
    assert refused(library, ["Error Code 10: Internal Error"]).status == "failed"


def test_a_graph_with_branches_that_the_builder_can_not_follow_is_unsupported(tmp_path: Path) -> None:
    import silero_vad

    from engine.formats.onnx import Onnx

    path = Path(silero_vad.__file__).parent / "data" / "silero_vad.onnx"
    artifact = Onnx.admit(path, tmp_path, {})
    spec = Onnx.inspect(artifact, lambda *_, **__: None)
    with pytest.raises(Unsupported, match="branches or loops"):
        TensorRTBuild().apply(artifact, GivenContext(spec, tmp_path, static_batch=1))
