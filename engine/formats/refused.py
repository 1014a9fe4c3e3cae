"""Files that are recognised so that they can be refused with a better advice than 'unknown'."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.admission.archives import members
from engine.admission.pickles import INSTEAD, is_legacy, is_pickle
from engine.formats.base import Format


def starts(*heads: bytes, at: int = 0) -> Callable[[Path], bool]:
    """A test for the bytes at one place of a file."""

    def test(path: Path) -> bool:
        with path.open("rb") as stream:
            stream.seek(at)
            return stream.read(max(map(len, heads))).startswith(heads)

    return test


@dataclass(frozen=True)
class Pickle(Format):
    """A Python pickle, which runs code when it is opened."""

    name = "pickle"
    title = "Python pickle"
    refusal = "This is a Python pickle, and opening it could run code."
    instead = INSTEAD

    @classmethod
    def recognise(cls, path: Path) -> bool:
        return path.is_file() and is_pickle(path) and not is_legacy(path)


@dataclass(frozen=True)
class TorchPackage(Format):
    """What `torch.package` writes: objects together with the Python code that makes them."""

    name = "torch-package"
    title = "PyTorch package"
    refusal = "This is a torch.package archive, which brings its own Python code, and opening it would run that code."
    instead = "Import the model from it where you trust it, and upload it as TorchScript, ONNX or an exported program."

    @classmethod
    def recognise(cls, path: Path) -> bool:
        return any(each.endswith("/.data/extern_modules") for each in members(path))


@dataclass(frozen=True)
class ExecutableFile(Format):
    """A program or shared library."""

    name = "executable"
    title = "Native code"
    refusal = "This is native code, which is never run."
    instead = "Upload the model it was compiled from: TorchScript, ONNX or an exported program."

    @classmethod
    def recognise(cls, path: Path) -> bool:
        return path.is_file() and starts(b"\x7fELF", b"MZ", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")(path)


@dataclass(frozen=True)
class TensorFlowLite(Format):
    """A TensorFlow Lite model."""

    name = "tflite"
    title = "TensorFlow Lite"
    refusal = "This is a TensorFlow Lite model, which Optibench does not open."
    instead = "Convert it with tf2onnx and upload the ONNX file."

    @classmethod
    def recognise(cls, path: Path) -> bool:
        return path.is_file() and starts(b"TFL3", at=4)(path)


@dataclass(frozen=True)
class Hdf5(Format):
    """A Keras model or another HDF5 file."""

    name = "hdf5"
    title = "Keras (HDF5)"
    refusal = "This is an HDF5 file, as Keras writes it, which Optibench does not open."
    instead = "Convert the model with tf2onnx and upload the ONNX file."

    @classmethod
    def recognise(cls, path: Path) -> bool:
        return path.is_file() and starts(b"\x89HDF\r\n\x1a\n")(path)


@dataclass(frozen=True)
class KerasArchive(Format):
    """A Keras 3 archive."""

    name = "keras"
    title = "Keras archive"
    refusal = "This is a Keras archive, which Optibench does not open."
    instead = "Export it with model.export(path, format='onnx') and upload the ONNX file."

    @classmethod
    def recognise(cls, path: Path) -> bool:
        return {"config.json", "metadata.json", "model.weights.h5"} <= set(members(path))


@dataclass(frozen=True)
class Gguf(Format):
    """A GGUF language model."""

    name = "gguf"
    title = "GGUF"
    refusal = "This is a GGUF file for llama.cpp, which Optibench does not open."
    instead = "Upload the original safetensors with config.json as a zip."

    @classmethod
    def recognise(cls, path: Path) -> bool:
        return path.is_file() and starts(b"GGUF")(path)
