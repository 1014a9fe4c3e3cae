"""What inspection says about ONNX graphs nobody wrote for it."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from conftest import Opener
from graphs import FLOAT, FLOAT16, INT32, INT64, UINT8, classifier, graph, weights

from engine.errors import BadInput, Unsupported
from engine.formats.onnx import model_path


@pytest.mark.parametrize("opset", [9, 11, 13, 17, 20])
def test_null_dimensions_get_names_and_sizes(tmp_path: Path, opened: Opener, opset: int) -> None:
    spec = opened(classifier(tmp_path / "m.onnx", opset))
    assert spec.opset == opset
    assert spec.inputs[0].name == "input.1"
    assert spec.inputs[0].shape == ("batch", 3, "height", "width")
    assert spec.sizes == {"height": 224, "width": 224}
    assert [(each.name, each.shape) for each in spec.outputs] == [("495", ("batch", 8))]
    assert (spec.parameters, spec.operators["Conv"], spec.task) == (216, 1, "classification")
    assert "task" in spec.guessed


@pytest.mark.parametrize("name", ["N", "batch_size", "unk__12", "dynamic_axes_1", "?"])
def test_a_leading_dimension_of_any_name_is_the_batch(tmp_path: Path, opened: Opener, name: str) -> None:
    spec = opened(classifier(tmp_path / "m.onnx", image=(name, 3, 32, 32)))
    assert spec.inputs[0].shape == ("batch", 3, 32, 32)
    assert spec.batch_dimension == "batch"


def test_bytes_as_int32_and_images_as_uint8_have_their_range(tmp_path: Path, opened: Opener) -> None:
    nodes = [
        ("Cast", ["b"], ["f"], {"to": FLOAT}),
        ("MatMul", ["f", "w"], ["y"], {}),
        ("Cast", ["i"], ["g"], {"to": FLOAT}),
        ("ReduceMean", ["g"], ["z"], {"axes": [1, 2], "keepdims": 0}),
    ]
    path = graph(
        tmp_path / "m.onnx",
        nodes,
        [("b", INT32, ("N", 16)), ("i", UINT8, ("N", 8, 8, 3))],
        [("y", FLOAT, ("N", 4)), ("z", FLOAT, ("N", 3))],
        {"w": weights(16, 4)},
    )
    spec = opened(path)
    assert [(each.dtype, each.low, each.high) for each in spec.inputs] == [("int32", 0, 256), ("uint8", 0, 256)]
    assert [each.shape for each in spec.outputs] == [("batch", 4), ("batch", 3)]


def test_tokens_range_over_the_embedding_table_and_masks_are_one(tmp_path: Path, opened: Opener) -> None:
    nodes = [
        ("Gather", ["table", "ids"], ["e"], {}),
        ("Cast", ["mask"], ["m"], {"to": FLOAT}),
        ("Unsqueeze", ["m", "axis"], ["u"], {}),
        ("Mul", ["e", "u"], ["h"], {}),
        ("ReduceMean", ["h"], ["sentence_embedding"], {"axes": [1], "keepdims": 0}),
    ]
    inputs = [("ids", INT64, ("b", "seq")), ("mask", INT64, ("b", "seq"))]
    stored = {"table": weights(500, 32), "axis": np.array([2])}
    spec = opened(graph(tmp_path / "m.onnx", nodes, inputs, [("sentence_embedding", FLOAT, ("b", 32))], stored))
    assert [(each.low, each.high, each.shape) for each in spec.inputs] == [
        (0, 500, ("batch", "seq")),
        (1, 2, ("batch", "seq")),
    ]
    assert spec.task == "embedding"
    assert spec.sizes == {"seq": 128}


def test_half_precision_scalars_and_outputs_without_dimensions(tmp_path: Path, opened: Opener) -> None:
    nodes = [
        ("MatMul", ["x", "w"], ["y"], {}),
        ("Mul", ["y", "scale"], ["z"], {}),
        ("ReduceSum", ["z"], ["total"], {"keepdims": 0}),
    ]
    spec = opened(
        graph(
            tmp_path / "m.onnx",
            nodes,
            [("x", FLOAT16, ("batch", 8)), ("scale", FLOAT16, ())],
            [("z", FLOAT16, ("batch", 2)), ("total", FLOAT16, ())],
            {"w": weights(8, 2).astype(np.float16)},
        )
    )
    assert [(each.dtype, each.shape) for each in spec.inputs] == [("float16", ("batch", 8)), ("float16", ())]
    assert [(each.dtype, each.shape) for each in spec.outputs] == [("float16", ("batch", 2)), ("float16", ())]


def test_a_batch_that_was_baked_in_is_fixed_with_a_note(tmp_path: Path, opened: Opener) -> None:
    nodes: list[Any] = [("Reshape", ["x", "s"], ["r"], {}), ("MatMul", ["r", "w"], ["y"], {})]
    stored = {"s": np.array([1, 8]), "w": weights(8, 3)}
    spec = opened(graph(tmp_path / "m.onnx", nodes, [("x", FLOAT, ("n", 2, 4))], [("y", FLOAT, ("n", 3))], stored))
    assert spec.inputs[0].shape == (1, 2, 4)
    assert spec.batch_dimension is None
    assert "only 1 works" in spec.notes[0]


def test_a_detector_keeps_outputs_of_varying_size(tmp_path: Path, opened: Opener) -> None:
    nodes: list[Any] = [("NonMaxSuppression", ["boxes", "scores", "most"], ["selected"], {})]
    inputs = [("boxes", FLOAT, (1, 50, 4)), ("scores", FLOAT, (1, 2, 50))]
    spec = opened(
        graph(tmp_path / "m.onnx", nodes, inputs, [("selected", INT64, ("found", 3))], {"most": np.array([5])})
    )
    assert spec.task == "detection"
    assert spec.outputs[0].shape == ("found", 3)


def test_an_input_without_a_shape_is_found_from_its_weights(tmp_path: Path, opened: Opener) -> None:
    path = graph(
        tmp_path / "m.onnx",
        [("MatMul", ["x", "w"], ["y"], {})],
        [("x", FLOAT, None)],
        [("y", FLOAT, None)],
        {"w": weights(8, 3)},
    )
    spec = opened(path)
    assert spec.inputs[0].shape == ("batch", 8)
    assert "input x" in spec.guessed


def test_external_data_comes_in_a_zip(tmp_path: Path, opened: Opener) -> None:
    model = onnx.load(str(classifier(tmp_path / "m.onnx")))
    onnx.save(model, str(tmp_path / "net.onnx"), save_as_external_data=True, location="net.data", size_threshold=0)
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        archive.write(tmp_path / "net.onnx", "model/net.onnx")
        archive.write(tmp_path / "net.data", "model/net.data")
    spec = opened(tmp_path / "m.zip")
    assert spec.parameters == 216
    assert model_path(tmp_path / "artifact" / "model").name == "model.onnx"
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "net.onnx").write_bytes((tmp_path / "net.onnx").read_bytes())
    with pytest.raises(BadInput, match="which is not there") as caught:
        opened(tmp_path / "alone" / "net.onnx")
    assert "zip" in caught.value.hint


def test_external_data_outside_the_folder_is_refused(tmp_path: Path, opened: Opener) -> None:
    path = classifier(tmp_path / "m.onnx")
    model = onnx.load(str(path))
    onnx.external_data_helper.set_external_data(model.graph.initializer[0], location="../../etc/passwd")
    model.graph.initializer[0].ClearField("raw_data")
    path.write_bytes(model.SerializeToString())
    with pytest.raises(BadInput, match="outside the model's folder"):
        opened(path)


@pytest.mark.parametrize(
    ("nodes", "inputs", "outputs", "word"),
    [
        ([("Identity", ["x"], ["y"], {})], [("x", 8, (2,))], [("y", 8, (2,))], "text"),
        ([("Foo", ["x"], ["y"], {"domain": "my.ops"})], [("x", FLOAT, (2,))], [("y", FLOAT, (2,))], "my.ops::Foo"),
    ],
)
def test_what_can_not_be_compared_is_unsupported(
    tmp_path: Path, opened: Opener, nodes: list, inputs: list, outputs: list, word: str
) -> None:
    with pytest.raises(Unsupported, match=word) as caught:
        opened(graph(tmp_path / "m.onnx", nodes, inputs, outputs))
    assert caught.value.hint


def test_a_sequence_output_is_unsupported(tmp_path: Path, opened: Opener) -> None:
    value = onnx.helper.make_tensor_sequence_value_info("s", FLOAT, None)
    node = onnx.helper.make_node("SequenceConstruct", ["x"], ["s"])
    inputs = [onnx.helper.make_tensor_value_info("x", FLOAT, (2,))]
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", inputs, [value]))
    onnx.save(model, str(tmp_path / "m.onnx"))
    with pytest.raises(Unsupported, match="is a sequence"):
        opened(tmp_path / "m.onnx")


def test_a_tokenizer_zipped_with_the_model_is_kept_for_text(tmp_path: Path, opened: Opener) -> None:
    classifier(tmp_path / "m.onnx", 17)
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        archive.write(tmp_path / "m.onnx", "export/m.onnx")
        archive.writestr("export/tokenizer.json", "{}")
    assert opened(tmp_path / "m.zip").preprocessing.tokenizer == "tokenizer.json"
    assert (tmp_path / "artifact" / "tokenizer.json").read_text() == "{}"
