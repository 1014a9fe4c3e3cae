"""Open a data set of whatever kind it is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from engine.data import arrays, bundled, images, tables
from engine.data.raw import RawData
from engine.errors import BadInput

Reader = Callable[[Path, dict[str, str]], RawData]
READERS: dict[str, Reader] = {
    ".npz": arrays.read,
    ".zip": images.read,
    ".csv": tables.read,
    ".tsv": tables.read,
    ".tab": tables.read,
    ".parquet": tables.read,
}
KINDS = "a .npz file, a zip of image folders, a CSV, TSV or Parquet table"


def read(reference: str, columns: dict[str, str] | None = None) -> RawData:
    """Read `sample:<name>` or the file at a path; raises BadInput when it is no data set.

    `columns` may name which column or array is the `label`, the `split`, or an input of the model.
    """
    if reference.startswith(bundled.PREFIX):
        return bundled.read(reference)
    path = Path(reference)
    if not path.is_file():
        raise BadInput(f"There is no data set at {reference}.", f"Give {KINDS}, or sample:digits.")
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise BadInput(f"{path.name} is not a data set that Optibench reads.", f"Give {KINDS}.")
    if not path.stat().st_size:
        raise BadInput(f"{path.name} is empty.", f"Give {KINDS}.")
    return reader(path, columns or {})


def digest(reference: str) -> str:
    """The SHA-256 of a data set's file; a bundled one's is of its name and the code's version of it."""
    if reference.startswith(bundled.PREFIX):
        return hashlib.sha256(f"{reference} {bundled.SPLIT_SEED}".encode()).hexdigest()
    with Path(reference).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
