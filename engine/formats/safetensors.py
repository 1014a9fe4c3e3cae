"""Safetensors: a header in JSON, then raw tensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.artifact import Artifact
from engine.errors import BadInput
from engine.formats.base import Format

if TYPE_CHECKING:
    from torch import Tensor

LARGEST_HEADER = 100_000_000


@dataclass(frozen=True)
class Safetensors(Format):
    """Weights alone, which need an architecture; becomes a PyTorch module."""

    name = "safetensors"
    title = "Safetensors weights"
    suffixes = (".safetensors",)
    uploadable = True
    requires = ("safetensors", "torch")

    @classmethod
    def recognise(cls, path: Path) -> bool:
        return path.is_file() and is_safetensors(path)

    @classmethod
    def admit(cls, path: Path, folder: Path, options: Mapping[str, Any]) -> Artifact:
        from engine.admission.weights import fit_weights, read_weights

        weights = read_weights(path)
        return fit_weights(folder, weights, **options)


def is_safetensors(path: Path) -> bool:
    """Whether a file begins with the length of a JSON header and that header's brace."""
    with path.open("rb") as stream:
        head = stream.read(9)
    return len(head) == 9 and 2 <= int.from_bytes(head[:8], "little") <= LARGEST_HEADER and head[8:] == b"{"


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Every tensor of a file; raises BadInput when it is damaged."""
    import safetensors
    from safetensors.torch import load_file

    try:
        tensors: dict[str, Tensor] = load_file(str(path))
    except (safetensors.SafetensorError, json.JSONDecodeError, ValueError, KeyError) as error:
        raise BadInput(
            f"{path.name} is a damaged or incomplete safetensors file.", "Save it again and upload it again."
        ) from error
    if not tensors:
        raise BadInput(f"{path.name} holds no tensors.", "Save the model's state dict into it.")
    return tensors
