"""Formats: what a model file can be, one file each."""

from __future__ import annotations

import functools
import sys
from pathlib import Path

from engine.errors import BadInput
from engine.formats.base import Format
from engine.plugin import scan


@functools.cache
def all_formats() -> dict[str, type[Format]]:
    """Every format by name."""
    return {each.name: each for each in scan(sys.modules[__name__], Format)}


def recognise(path: Path) -> type[Format]:
    """The format of a file by its content; raises BadInput when no format claims it."""
    for each in all_formats().values():
        if each.recognise(path):
            return each
    raise BadInput(
        f"{path.name} is not a model file that Optibench knows.",
        "Upload TorchScript, ONNX, an exported program (.pt2), safetensors or a state dict.",
    )
