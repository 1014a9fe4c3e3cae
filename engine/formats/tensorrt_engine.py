"""TensorRT engines: made here, never uploaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.formats.base import Format

HEADS = (b"ftrt", b"ptrt")
SUFFIXES = (".engine", ".plan", ".trt")


@dataclass(frozen=True)
class TensorRTEngine(Format):
    """A network compiled for one GPU model and one TensorRT version."""

    name = "tensorrt-engine"
    title = "TensorRT engine"
    suffixes = SUFFIXES
    refusal = "This is a TensorRT engine: native code for one GPU, which is never run from an upload."
    instead = "Upload the ONNX file it was built from, and Optibench builds the engine here."

    @classmethod
    def recognise(cls, path: Path) -> bool:
        if not path.is_file():
            return False
        with path.open("rb") as stream:
            head = stream.read(4)
        return head in HEADS or (path.suffix.lower() in SUFFIXES and not head.startswith((b"PK", b"\x08", b"\x80")))
