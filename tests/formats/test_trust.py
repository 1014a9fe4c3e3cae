"""Uploads that would run code are refused, and nothing in them has run."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Opener
from torch import nn

from engine.errors import BadInput, RefusedFile

Change = Callable[[dict[str, bytes]], None]


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x).relu()  # type: ignore[no-any-return]


class Marks:
    """A pickle that leaves a mark when it is opened."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("program") / "small.pt2"
    batch = torch.export.Dim("batch", min=1, max=64)
    torch.export.save(torch.export.export(Small(), (torch.randn(2, 4),), dynamic_shapes=({0: batch},)), path)
    return path


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    return tmp_path / "executed"


def tampered(program: Path, folder: Path, change: Change) -> Path:
    """A copy of a program's archive with some members changed; names are without the root folder."""
    with zipfile.ZipFile(program) as archive:
        root = archive.namelist()[0].partition("/")[0]
        members = {each.partition("/")[2]: archive.read(each) for each in archive.namelist()}
    change(members)
    path = folder / "tampered.pt2"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(f"{root}/{name}", data)
    return path


def saved(value: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(value, stream)
    return stream.getvalue()


def graph_change(edit: Callable[[dict[str, Any]], None]) -> Change:
    def change(members: dict[str, bytes]) -> None:
        model = json.loads(members["models/model.json"])
        edit(model)
        members["models/model.json"] = json.dumps(model).encode()

    return change


def config_change(**facts: Any) -> Change:
    def change(members: dict[str, bytes]) -> None:
        name = "data/weights/model_weights_config.json"
        config = json.loads(members[name])
        config["config"]["layer.weight"].update(facts)
        members[name] = json.dumps(config).encode()

    return change


def test_an_honest_program_is_opened_and_its_copy_answers_the_same(
    program: Path, opened: Opener, tmp_path: Path
) -> None:
    spec = opened(program)
    assert (spec.format, spec.inputs[0].shape, spec.parameters) == ("exported-program", ("batch", 4), 10)
    x = torch.randn(3, 4)
    copy = torch.export.load(tmp_path / "artifact" / "model.pt2").module()
    assert torch.equal(copy(x), torch.export.load(program).module()(x))


def test_pytorch_itself_would_run_a_tampered_program(program: Path, tmp_path: Path, mark: Path) -> None:
    path = tampered(program, tmp_path, lambda m: m.update({"data/sample_inputs/model.pt": saved(((Marks(mark),), {}))}))
    with pytest.raises(Exception):  # noqa: B017  how it fails afterwards does not matter
        torch.export.load(path)
    assert mark.exists(), "the attack that the next test holds off does not work any more"


@pytest.mark.parametrize("member", ["data/sample_inputs/model.pt", "data/weights/model.pt", "data/constants/model.pt"])
@pytest.mark.parametrize("write", [saved, pickle.dumps])
def test_pickles_in_a_program_do_not_run(
    program: Path, tmp_path: Path, mark: Path, opened: Opener, member: str, write: Callable[[Any], bytes]
) -> None:
    path = tampered(program, tmp_path, lambda m: m.update({member: write(((Marks(mark),), {}))}))
    with pytest.raises(RefusedFile) as caught:
        opened(path)
    assert "torch.export.save" in caught.value.hint
    assert not mark.exists()


def node(target: str) -> dict[str, Any]:
    return {"target": target, "inputs": [], "outputs": [], "metadata": {}, "is_hop_single_tensor_return": None}


def tree(model: dict[str, Any]) -> None:
    enum = {"__enum__": True, "fqn": "antigravity:x", "name": "y"}
    spec = [1, {"type": "builtins.dict", "context": json.dumps([enum]), "children_spec": []}]
    model["graph_module"]["module_call_graph"][0]["signature"]["out_spec"] = json.dumps(spec)


def symbol(model: dict[str, Any]) -> None:
    sizes = model["graph_module"]["graph"]["tensor_values"]["x"]["sizes"]
    sizes[0]["as_expr"]["expr_str"] = "__import__('pathlib').Path('MARK').touch()"


@pytest.mark.parametrize(
    "change",
    [
        graph_change(lambda m: m["graph_module"]["graph"]["nodes"].append(node("torch.os.system"))),
        graph_change(lambda m: m["graph_module"]["graph"]["nodes"].append(node("torch.hub.load"))),
        graph_change(lambda m: m["graph_module"]["graph"]["nodes"].append(node("_operator.methodcaller"))),
        graph_change(lambda m: m["graph_module"]["graph"]["nodes"].append(node("torch.ops.aten.from_file.default"))),
        graph_change(lambda m: m["graph_module"]["graph"]["inputs"][0]["as_tensor"].update(name="x): import os #")),
        graph_change(tree),
        graph_change(symbol),
        config_change(use_pickle=True),
        config_change(path_name="custom_obj_0"),
        config_change(path_name="opaque_obj_0"),
        lambda m: m.update({"data/aotinductor/model/model.so": b"\x7fELF"}),
        lambda m: m.update({"data/constants/custom_obj_0": b"x"}),
        lambda m: m.update({"data/weights/unknown": b"x"}),
    ],
)
def test_other_ways_to_run_code_from_a_program_are_refused(
    program: Path, tmp_path: Path, opened: Opener, change: Change
) -> None:
    with pytest.raises(RefusedFile):
        opened(tampered(program, tmp_path, change))


def test_sympy_would_run_an_expression(program: Path, tmp_path: Path, mark: Path, opened: Opener) -> None:
    def change(model: dict[str, Any]) -> None:
        symbol(model)
        value = model["graph_module"]["graph"]["tensor_values"]["x"]["sizes"][0]["as_expr"]
        value["expr_str"] = value["expr_str"].replace("MARK", str(mark))

    path = tampered(program, tmp_path, graph_change(change))
    with pytest.raises(RefusedFile):
        opened(path)
    assert not mark.exists()
    with pytest.raises(Exception):  # noqa: B017
        torch.export.load(path)
    assert mark.exists(), "the attack that this test holds off does not work any more"


def test_an_archive_that_two_readers_read_differently_is_copied_as_it_was_checked(
    program: Path, tmp_path: Path, mark: Path, opened: Opener
) -> None:
    evil = tampered(program, tmp_path, lambda m: m.update({"data/sample_inputs/model.pt": saved(((Marks(mark),), {}))}))
    joined = tmp_path / "joined.pt2"
    joined.write_bytes(evil.read_bytes() + program.read_bytes())
    spec = opened(joined)
    assert spec.parameters == 10
    assert not mark.exists()


def test_guards_and_comments_are_left_out_of_the_copy(program: Path, tmp_path: Path, opened: Opener) -> None:
    def change(model: dict[str, Any]) -> None:
        model["guards_code"] = ["__import__('os')"]

    opened(tampered(program, tmp_path, graph_change(change)))
    with zipfile.ZipFile(tmp_path / "artifact" / "model.pt2") as archive:
        name = next(each for each in archive.namelist() if each.endswith("models/model.json"))
        text = archive.read(name).decode()
    assert "__import__" not in text
    assert "stack_trace" not in text


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickled_model_is_refused_and_does_not_run(tmp_path: Path, mark: Path, opened: Opener, zipped: bool) -> None:
    path = tmp_path / "model.pt"
    torch.save({"state_dict": {"w": torch.ones(2)}, "x": Marks(mark)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(RefusedFile, match="run code") as caught:
        opened(path, architecture="torchvision.resnet18")
    assert "state_dict()" in caught.value.hint
    torch.save(Small(), path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(RefusedFile, match="Small"):
        opened(path)
    assert not mark.exists()


def test_a_bare_pickle_is_refused_and_does_not_run(tmp_path: Path, mark: Path, opened: Opener) -> None:
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(Marks(mark)))
    with pytest.raises(RefusedFile, match="pickle"):
        opened(tmp_path / "model.pkl")
    assert not mark.exists()


@pytest.mark.parametrize(
    ("name", "data", "word"),
    [
        ("a.engine", b"ftrt" + bytes(100), "TensorRT engine"),
        ("a.bin", b"ptrt" + bytes(100), "TensorRT engine"),
        ("a.so", b"\x7fELF" + bytes(100), "native code"),
        ("a.tflite", bytes(4) + b"TFL3" + bytes(100), "TensorFlow Lite"),
        ("a.h5", b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5"),
        ("a.gguf", b"GGUF" + bytes(100), "GGUF"),
    ],
)
def test_foreign_files_are_named_with_what_to_upload_instead(
    tmp_path: Path, opened: Opener, name: str, data: bytes, word: str
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(RefusedFile, match=word) as caught:
        opened(tmp_path / name)
    assert caught.value.hint


def test_an_aotinductor_package_is_refused(tmp_path: Path, opened: Opener) -> None:
    with zipfile.ZipFile(tmp_path / "model.pt2", "w") as archive:
        archive.writestr("model/archive_format", "pt2")
        archive.writestr("model/data/aotinductor/model/abc.wrapper.so", b"\x7fELF")
    with pytest.raises(BadInput, match="AOTInductor"):
        opened(tmp_path / "model.pt2")
