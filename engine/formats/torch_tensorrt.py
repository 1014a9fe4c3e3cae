"""Saved Torch-TensorRT programs: made here, never uploaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.formats.base import Format


@dataclass(frozen=True)
class TorchTensorRT(Format):
    """A PyTorch program with parts compiled into TensorRT engines."""

    name = "torch-tensorrt"
    title = "Torch-TensorRT program"
    suffixes = (".pt2", ".ts")

    @classmethod
    def recognise(cls, path: Path) -> bool:
        return False  # an upload of it is an exported program with native code, which is refused as such
