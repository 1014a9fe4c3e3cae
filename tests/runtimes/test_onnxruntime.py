"""ONNX Runtime: odd graphs, what really runs where, and how it refuses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from engine.artifact import Artifact
from engine.errors import BadInput, Unsupported
from engine.runtimes import all_runtimes
from engine.runtimes.base import Site
from engine.runtimes.inputs import bfloat16_bits, from_bfloat16_bits
from engine.runtimes.ort_errors import translate, wrong_buffer
from engine.spec import ModelSpec, TensorSpec
from tests.runtimes.conftest import DIGITS

OnnxRuntime = all_runtimes()["onnxruntime"]


def graph(
    folder: Path,
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
    known: Sequence[onnx.ValueInfoProto] = (),
) -> Artifact:
    """A model of a few nodes, written to a file; `known` is what it says about the tensors between them."""
    model = helper.make_model(
        helper.make_graph(nodes, "graph", inputs, outputs, value_info=known),
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)],
        ir_version=9,
    )
    path = folder / "graph.onnx"
    onnx.save(model, str(path))
    return Artifact("onnx", path)


def tensor(name: str, type: int, *shape: int | str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, type, list(shape))


def spec_of(*inputs: TensorSpec) -> ModelSpec:
    return ModelSpec("graph", "onnx", inputs, ())


def test_bfloat16_goes_in_and_comes_out_as_float32(tmp_path: Path, site: Callable[..., Site]) -> None:
    nodes = [
        helper.make_node("Cast", ["x"], ["wide"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["wide"], ["y"], to=TensorProto.BFLOAT16),
    ]
    artifact = graph(
        tmp_path, nodes, [tensor("x", TensorProto.BFLOAT16, "n", 2)], [tensor("y", TensorProto.BFLOAT16, "n", 2)]
    )
    session = OnnxRuntime().open(artifact, spec_of(TensorSpec("x", "bfloat16", ("n", 2))), site())
    values = np.array([[1.2345, -3e38], [0.0, 7e-5]], np.float32)
    session.bind({"x": values})
    session.run()
    (found,) = session.fetch()
    np.testing.assert_array_equal(found, torch.from_numpy(values).bfloat16().float().numpy())
    session.close()


def test_bfloat16_rounds_to_nearest_even_as_pytorch_does() -> None:
    values = np.random.default_rng(0).standard_normal(10_000).astype(np.float32)
    wanted = torch.from_numpy(values).bfloat16().float().numpy()
    np.testing.assert_array_equal(from_bfloat16_bits(bfloat16_bits(values)), wanted)


def test_an_output_whose_shape_depends_on_the_data(tmp_path: Path, site: Callable[..., Site]) -> None:
    artifact = graph(
        tmp_path,
        [helper.make_node("NonZero", ["x"], ["where"])],
        [tensor("x", TensorProto.FLOAT, "n")],
        [tensor("where", TensorProto.INT64, 1, "found")],
    )
    session = OnnxRuntime().open(artifact, spec_of(TensorSpec("x", "float32", ("n",))), site())
    for values, wanted in (([0, 1, 2], [[1, 2]]), ([0, 0, 0], [[]]), ([5, 5, 5], [[0, 1, 2]])):
        session.bind({"x": np.array(values, np.float32)})
        session.run()
        assert session.fetch()[0].tolist() == wanted
    session.close()


def test_a_dimension_name_that_lies(tmp_path: Path, site: Callable[..., Site]) -> None:
    artifact = graph(
        tmp_path,
        [helper.make_node("Concat", ["x", "x"], ["y"], axis=0)],
        [tensor("x", TensorProto.FLOAT, "n")],
        [tensor("y", TensorProto.FLOAT, "n")],
    )
    session = OnnxRuntime().open(artifact, spec_of(TensorSpec("x", "float32", ("n",))), site())
    for values in ([1, 2], [3, 4], [5, 6, 7]):
        session.bind({"x": np.array(values, np.float32)})
        session.run()
        assert session.fetch()[0].tolist() == values * 2
    session.close()


def test_a_rank_that_lies(tmp_path: Path, site: Callable[..., Site]) -> None:
    """Declared as one number, and as long as the batch: ONNX Runtime knows better and refuses the buffer."""
    artifact = graph(
        tmp_path,
        [helper.make_node("Squeeze", ["x"], ["s"]), helper.make_node("Identity", ["s"], ["y"])],
        [tensor("x", TensorProto.FLOAT, "n", 1)],
        [tensor("y", TensorProto.FLOAT)],
        known=[tensor("y", TensorProto.FLOAT, "n")],
    )
    session = OnnxRuntime().open(artifact, spec_of(TensorSpec("x", "float32", ("n", 1))), site())
    for values in ([1, 2], [3], [4, 5, 6]):
        session.bind({"x": np.array(values, np.float32).reshape(-1, 1)})
        session.run()
        session.run()
        assert np.atleast_1d(session.fetch()[0]).tolist() == values
    session.close()


@pytest.mark.parametrize(
    "words",
    [
        "The output OrtValue provided for output 'y' of node 'Add_77' (Add) has shape {1}. When calling Run() with "
        "pre-allocated output OrtValues on a model with dynamic output shapes, ensure the shapes match.",
        "Error in execution: Invalid rank for output: y Got: 0 Expected: 1 Please fix either the inputs/outputs.",
    ],
)
def test_a_refused_buffer_is_known_by_every_wording(words: str) -> None:
    assert wrong_buffer(RuntimeError(words))
    assert not wrong_buffer(RuntimeError("Non-zero status code returned while running MatMul node."))


def test_a_graph_that_a_provider_cannot_share_with_the_cpu_is_unsupported() -> None:
    words = (
        "Exception during initialization: transformer_memcpy.cc:467 bool TransformerMemcpyImpl::ProcessInitializers("
    )
    known = translate(RuntimeError(words))
    assert isinstance(known, Unsupported)
    assert "CUDA provider" in known.hint


def test_a_transpose_before_a_matmul_in_fp16_opens_on_the_cpu(tmp_path: Path, site: Callable[..., Site]) -> None:
    weight = onnx.numpy_helper.from_array(np.ones((8, 4), np.float16), "w")
    nodes = [
        helper.make_node("Constant", [], ["w"], value=weight),
        helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
        helper.make_node("MatMul", ["t", "w"], ["y"]),
    ]
    x, y = (tensor(name, TensorProto.FLOAT16, *shape) for name, shape in (("x", ("a", "b", 8)), ("y", ("b", "a", 4))))
    made = Artifact("onnx", graph(tmp_path, nodes, [x], [y]).path, details={"precision": "fp16"})
    session = OnnxRuntime().open(made, spec_of(TensorSpec("x", "float16", ("a", "b", 8))), site())
    session.bind({"x": np.ones((3, 2, 8), np.float16)})
    session.run()
    assert session.fetch()[0].tolist() == np.full((2, 3, 4), 8).tolist()
    session.close()


def test_names_that_differ_are_given_by_the_artifact(tmp_path: Path, site: Callable[..., Site]) -> None:
    made = graph(
        tmp_path,
        [helper.make_node("Sub", ["a.1", "b/2"], ["y"])],
        [tensor("a.1", TensorProto.FLOAT, "n"), tensor("b/2", TensorProto.FLOAT, "n")],
        [tensor("y", TensorProto.FLOAT, "n")],
    )
    artifact = Artifact("onnx", made.path, details={"input_names": ["a.1", "b/2"]})
    spec = spec_of(TensorSpec("first", "float32", ("n",)), TensorSpec("second", "float32", ("n",)))
    session = OnnxRuntime().open(artifact, spec, site())
    session.bind({"second": np.ones(3, np.float32), "first": np.full(3, 5, np.float32)})
    session.run()
    assert session.fetch()[0].tolist() == [4, 4, 4]
    session.close()
    with pytest.raises(BadInput, match=r"a\.1"):
        OnnxRuntime().open(made, spec, site())


def test_a_static_artifact_refuses_another_batch_size(
    artifacts: Callable[..., Artifact], site: Callable[..., Site]
) -> None:
    static = Artifact("onnx", artifacts("onnx").path, details={"batch_size": 2})
    session = OnnxRuntime().open(static, DIGITS, site())
    with pytest.raises(BadInput, match="batch size 2"):
        session.bind({"pixels": np.zeros((3, 1, 8, 8), np.float32)})
    session.close()


def test_lists_and_text_are_refused_by_name(tmp_path: Path, site: Callable[..., Site]) -> None:
    artifact = graph(
        tmp_path,
        [helper.make_node("SplitToSequence", ["x"], ["parts"])],
        [tensor("x", TensorProto.FLOAT, 2)],
        [helper.make_tensor_sequence_value_info("parts", TensorProto.FLOAT, None)],
    )
    session = OnnxRuntime().open(artifact, spec_of(TensorSpec("x", "float32", (2,))), site())
    session.bind({"x": np.zeros(2, np.float32)})
    session.run()
    with pytest.raises(Unsupported, match="parts"):
        session.fetch()
    session.close()

    text = graph(
        tmp_path,
        [helper.make_node("Identity", ["words"], ["same"])],
        [tensor("words", TensorProto.STRING, 2)],
        [tensor("same", TensorProto.STRING, 2)],
    )
    session = OnnxRuntime().open(text, spec_of(TensorSpec("words", "float32", (2,))), site())
    with pytest.raises(BadInput, match="words"):
        session.bind({"words": np.zeros(2, np.float32)})
    session.close()


def test_a_damaged_file_is_bad_input(tmp_path: Path, site: Callable[..., Site]) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"not a protobuf")
    with pytest.raises(BadInput, match="can't read"):
        OnnxRuntime().open(Artifact("onnx", tmp_path / "broken.onnx"), DIGITS, site())


def test_every_node_is_counted(artifacts: Callable[..., Artifact], site: Callable[..., Site]) -> None:
    session = OnnxRuntime().open(artifacts("onnx"), DIGITS, site())
    assert session.details["nodes"] == {"CPU": 10}
    assert "fallbacks" not in session.details
    session.close()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is an NVIDIA GPU")
def test_asking_for_a_gpu_that_is_not_there_is_never_silent(
    artifacts: Callable[..., Artifact], site: Callable[..., Site]
) -> None:
    with pytest.raises(Unsupported, match="NVIDIA"):
        OnnxRuntime().open(artifacts("onnx"), DIGITS, site("cuda:0"))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU")
def test_nodes_that_stay_on_the_cpu_are_named(tmp_path: Path, site: Callable[..., Site]) -> None:
    artifact = graph(
        tmp_path,
        [
            helper.make_node("Relu", ["x"], ["positive"]),
            helper.make_node("Det", ["positive"], ["y"]),
        ],
        [tensor("x", TensorProto.FLOAT, "n", 2, 2)],
        [tensor("y", TensorProto.FLOAT, "n")],
    )
    session = OnnxRuntime().open(artifact, spec_of(TensorSpec("x", "float32", ("n", 2, 2))), site("cuda:0"))
    assert session.details["nodes"] == {"CUDA": 1, "CPU": 1}
    assert session.details["fallbacks"] == {"Det": 1}
    session.close()
    with pytest.raises(Unsupported, match="CUDA graph"):
        OnnxRuntime.from_options({"cuda_graph": True}).open(
            artifact, spec_of(TensorSpec("x", "float32", ("n", 2, 2))), site("cuda:0")
        )


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU")
def test_an_input_that_only_the_cpu_reads_is_replaced_too(tmp_path: Path, site: Callable[..., Site]) -> None:
    artifact = graph(
        tmp_path,
        [helper.make_node("Det", ["x"], ["d"]), helper.make_node("Relu", ["d"], ["y"])],
        [tensor("x", TensorProto.FLOAT, "n", 2, 2)],
        [tensor("y", TensorProto.FLOAT, "n")],
    )
    session = OnnxRuntime().open(artifact, spec_of(TensorSpec("x", "float32", ("n", 2, 2))), site("cuda:0"))
    for scale in (1, 2, 3):
        session.bind({"x": scale * np.eye(2, dtype=np.float32)[None]})
        session.run()
        session.synchronize()
        assert session.fetch()[0].tolist() == [scale**2]
    session.close()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU")
def test_results_are_whole_after_many_enqueued_runs(tmp_path: Path, site: Callable[..., Site]) -> None:
    size = 4096
    chain = [helper.make_node("MatMul", [f"x{index}", f"x{index}"], [f"x{index + 1}"]) for index in range(40)]
    artifact = graph(
        tmp_path, chain, [tensor("x0", TensorProto.FLOAT, size, size)], [tensor("x40", TensorProto.FLOAT, size, size)]
    )
    spec = spec_of(TensorSpec("x0", "float32", (size, size)))
    session = OnnxRuntime().open(artifact, spec, site("cuda:0"))
    session.bind({"x0": np.eye(size, dtype=np.float32)})
    for _ in range(3):
        session.run()
    session.synchronize()
    np.testing.assert_array_equal(session.fetch()[0], np.eye(size, dtype=np.float32))
    session.close()
