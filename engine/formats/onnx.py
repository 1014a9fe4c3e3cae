"""ONNX: one protobuf file, or a folder with `model.onnx` and its external data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.admission.archives import place
from engine.artifact import Artifact
from engine.errors import BadInput
from engine.formats.base import Format
from engine.spec import ModelSpec, Use

if TYPE_CHECKING:
    from onnx import ModelProto

MODEL = "model.onnx"


@dataclass(frozen=True)
class Onnx(Format):
    """A graph of standard operators that many runtimes open."""

    name = "onnx"
    title = "ONNX"
    suffixes = (".onnx", ".zip")
    uploadable = True
    reference = Use("onnxruntime")
    requires = ("onnx",)

    @classmethod
    def recognise(cls, path: Path) -> bool:
        from engine.admission.onnx_wire import looks_like_model

        return path.is_file() and looks_like_model(path)

    @classmethod
    def admit(cls, path: Path, folder: Path, options: Mapping[str, Any]) -> Artifact:
        from engine.admission.onnx_files import check, external_files
        from engine.admission.precision import of_graph

        model = read(path)
        data = external_files(model, path)
        check(model, path)
        details = of_graph(model)
        if not data:
            return Artifact(cls.name, place(path, folder / MODEL), details=details)
        place(path, folder / "model" / MODEL)
        for each in data:
            place(path.parent / each, folder / "model" / each)
        return Artifact(cls.name, folder / "model", details=details)

    @classmethod
    def inspect(cls, artifact: Artifact, progress: Any) -> ModelSpec:
        from engine.inspection.onnx_graph import inspect_onnx

        return inspect_onnx(artifact, progress)


def model_path(path: Path) -> Path:
    """The ONNX file of an artifact, which is that file or a folder that holds it."""
    if path.is_file():
        return path
    if (path / MODEL).exists():
        return path / MODEL
    found = sorted(path.glob("*.onnx"))
    if len(found) != 1:
        raise BadInput(f"{path.name} holds {len(found)} ONNX files.", "Give a folder with exactly one.")
    return found[0]


def load(path: Path, *, weights: bool = True) -> ModelProto:
    """Load an artifact's graph; without `weights`, external data stays on disk."""
    import onnx

    return onnx.load(str(model_path(path)), load_external_data=weights)


def save(model: ModelProto, folder: Path) -> Path:
    """Write a graph into `folder`; over 1.9 GB it becomes a folder with external data. Returns the artifact's path."""
    import onnx

    folder.mkdir(parents=True, exist_ok=True)
    if model.ByteSize() < 1_900_000_000:
        onnx.save(model, str(folder / MODEL))
        return folder / MODEL
    (folder / "model").mkdir(exist_ok=True)
    onnx.save(model, str(folder / "model" / MODEL), save_as_external_data=True, location="model.onnx.data")
    return folder / "model"


def read(path: Path) -> ModelProto:
    """Parse an uploaded file without its external data; raises BadInput when it is damaged."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        return onnx.load(str(path), load_external_data=False)
    except DecodeError as error:
        raise BadInput(
            f"{path.name} is a damaged or incomplete ONNX file.", "Export it again and upload it again."
        ) from error
