"""Damaged, renamed and malicious archives: one sentence, a next step, nothing left behind."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import Opener
from graphs import classifier
from safetensors.torch import save_file
from torch import nn

from engine.errors import BadInput


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One good file of each kind."""
    folder = tmp_path_factory.mktemp("whole")
    module = nn.Sequential(nn.Linear(200, 100), nn.ReLU(), nn.Linear(100, 3)).eval()
    torch.jit.save(torch.jit.script(module), str(folder / "script.pt"))
    torch.export.save(torch.export.export(module, (torch.randn(2, 200),)), folder / "program.pt2")
    save_file(module.state_dict(), str(folder / "weights.safetensors"))
    torch.save(module.state_dict(), folder / "state.pt")
    torch.save(module.state_dict(), folder / "legacy.pt", _use_new_zipfile_serialization=False)
    classifier(folder / "graph.onnx")
    return {each.stem: each for each in folder.iterdir()}


@pytest.mark.parametrize("kind", ["script", "program", "weights", "state", "legacy", "graph"])
@pytest.mark.parametrize("part", [0.02, 0.5, 0.97])
def test_truncated_files(whole: dict[str, Path], tmp_path: Path, opened: Opener, kind: str, part: float) -> None:
    data = whole[kind].read_bytes()
    path = tmp_path / whole[kind].name
    path.write_bytes(data[: max(1, int(len(data) * part))])
    with pytest.raises(BadInput) as caught:
        opened(path, architecture="torchvision.resnet18")
    assert len(caught.value.reason) < 300
    assert caught.value.hint


@pytest.mark.parametrize("kind", ["script", "program", "graph"])
def test_a_renamed_file_is_known_by_its_content(
    whole: dict[str, Path], tmp_path: Path, opened: Opener, kind: str
) -> None:
    path = tmp_path / "renamed.txt"
    path.write_bytes(whole[kind].read_bytes())
    formats = {"script": "torchscript", "program": "exported-program", "graph": "onnx"}
    assert opened(path).format == formats[kind]


@pytest.mark.parametrize("data", [b"", b"\x00", b"hello, I am text\n" * 50, bytes(5000), b"PK\x03\x04" + bytes(50)])
def test_files_that_are_no_model(tmp_path: Path, opened: Opener, data: bytes) -> None:
    (tmp_path / "model.onnx").write_bytes(data)
    with pytest.raises(BadInput) as caught:
        opened(tmp_path / "model.onnx")
    assert caught.value.hint


def test_a_torch_package_is_refused_for_the_code_it_brings(tmp_path: Path, opened: Opener) -> None:
    from torch.package import PackageExporter

    with PackageExporter(tmp_path / "packed.pt") as exporter:
        exporter.extern("torch.**")
        exporter.save_pickle("model", "model.pkl", nn.Linear(2, 2))
    with pytest.raises(BadInput, match=r"torch\.package") as caught:
        opened(tmp_path / "packed.pt")
    assert "TorchScript" in caught.value.hint


def test_a_file_over_the_limit(tmp_path: Path, opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPTIBENCH_UPLOAD_LIMIT_MB", "1")
    with (tmp_path / "large.onnx").open("wb") as stream:
        stream.truncate(2_000_000)
    with pytest.raises(BadInput, match="limit") as caught:
        opened(tmp_path / "large.onnx")
    assert "OPTIBENCH_UPLOAD_LIMIT_MB" in caught.value.hint


def traversal(archive: zipfile.ZipFile) -> None:
    archive.writestr("../escaped.onnx", b"x")


def absolute(archive: zipfile.ZipFile) -> None:
    archive.writestr("/tmp/escaped.onnx", b"x")


def link(archive: zipfile.ZipFile) -> None:
    entry = zipfile.ZipInfo("model.onnx")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive.writestr(entry, "/etc/passwd")


def bomb(archive: zipfile.ZipFile) -> None:
    archive.writestr("model.onnx", bytes(50_000_000), compress_type=zipfile.ZIP_DEFLATED)


def nothing(archive: zipfile.ZipFile) -> None:
    archive.writestr("readme.txt", "no model here")


@pytest.mark.parametrize(
    ("write", "word"),
    [
        (traversal, "leads out"),
        (absolute, "leads out"),
        (link, "link"),
        (bomb, "bomb"),
        (nothing, "holds no model"),
    ],
)
def test_hostile_zips(tmp_path: Path, opened: Opener, write: Callable[[zipfile.ZipFile], None], word: str) -> None:
    with zipfile.ZipFile(tmp_path / "model.zip", "w") as archive:
        write(archive)
    with pytest.raises(BadInput, match=word) as caught:
        opened(tmp_path / "model.zip")
    assert caught.value.hint
    assert not (tmp_path / "escaped.onnx").exists()
    assert not Path("/tmp/escaped.onnx").exists()


def test_a_zip_of_two_models_names_them(whole: dict[str, Path], tmp_path: Path, opened: Opener) -> None:
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.write(whole["graph"], "a.onnx")
        archive.write(whole["script"], "b.pt")
    with pytest.raises(BadInput, match=r"2 models: a.onnx, b.pt"):
        opened(tmp_path / "two.zip")


def test_a_zip_of_zips_is_not_unpacked_for_ever(tmp_path: Path, opened: Opener) -> None:
    inner = tmp_path / "inner.zip"
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("readme.txt", "x")
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as archive:
        archive.write(inner, "inner.zip")
    with pytest.raises(BadInput, match="no model"):
        opened(tmp_path / "outer.zip")
