"""State dicts and training checkpoints as torch.save writes them, zipped or in the old way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.admission.pickles import is_legacy, is_torch_archive
from engine.artifact import Artifact
from engine.formats.base import Format


@dataclass(frozen=True)
class StateDict(Format):
    """Weights alone, which need an architecture; becomes a PyTorch module. Whole pickled models are refused."""

    name = "state-dict"
    title = "State dict or checkpoint"
    suffixes = (".pt", ".pth", ".bin", ".ckpt", ".tar")
    uploadable = True
    requires = ("torch",)

    @classmethod
    def recognise(cls, path: Path) -> bool:
        return path.is_file() and (is_torch_archive(path) or is_legacy(path))

    @classmethod
    def admit(cls, path: Path, folder: Path, options: Mapping[str, Any]) -> Artifact:
        from engine.admission.weights import fit_weights, read_weights

        weights = read_weights(path)
        return fit_weights(folder, weights, **options)
