"""AOTInductor packages: compiled code, made here, never uploaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.admission.archives import members
from engine.formats.base import Format


@dataclass(frozen=True)
class AotInductor(Format):
    """A model compiled ahead of time into a shared library, with its weights."""

    name = "aot-inductor"
    title = "AOTInductor package"
    suffixes = (".pt2",)
    refusal = "This is an AOTInductor package: native code, which is never run from an upload."
    instead = "Upload the exported program it was compiled from (torch.export.save)."

    @classmethod
    def recognise(cls, path: Path) -> bool:
        return any("/aotinductor/" in f"/{each}" or each.endswith(".so") for each in members(path))
