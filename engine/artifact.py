"""An artifact: one file or folder of one format, and what the step that made it says about it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MANIFEST = "artifact.json"


@dataclass(frozen=True)
class Artifact:
    """A file or folder of one format.

    `details` is what later phases need to know without opening the file: `precision` (fp32, tf32,
    fp16, bf16, int8, int4, fp8), `batch_size` when it is built for one alone, `report` (a table per
    layer), `warnings`, and whatever a runtime wants to be told. It is inherited by the next step
    unless that step overrides it. `lossy` is one sentence on why the outputs are meant to differ
    (weights were pruned or trained): parity is then recorded and not judged. `suspect_reason` with
    `suspect_hint` marks every result suspect (a trace that recorded a branch).
    """

    format: str
    path: Path
    key: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    def derive(self, format: str, path: Path, **details: Any) -> Artifact:
        """A new artifact made from this one, keeping its details where none are given."""
        return Artifact(format=format, path=path, details={**self.details, **details})

    @property
    def precision(self) -> str:
        return str(self.details.get("precision", "fp32"))

    def files(self) -> list[Path]:
        """Every file of the artifact, in a stable order."""
        if self.path.is_file():
            return [self.path]
        return sorted(each for each in self.path.rglob("*") if each.is_file())

    def size_bytes(self) -> int:
        """Bytes on disk."""
        return sum(each.stat().st_size for each in self.files())


def write_manifest(folder: Path, artifact: Artifact, **facts: Any) -> None:
    """Write `artifact.json` beside an artifact's payload, which lies in `folder`."""
    manifest = {
        "format": artifact.format,
        "payload": str(artifact.path.relative_to(folder)),
        "key": artifact.key,
        "details": dict(artifact.details),
        **facts,
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1))


def read_manifest(folder: Path) -> Artifact:
    """Read the artifact that lies in `folder`."""
    manifest = json.loads((folder / MANIFEST).read_text())
    return Artifact(
        format=manifest["format"], path=folder / manifest["payload"], key=manifest["key"], details=manifest["details"]
    )
