"""Reports: one file an export format, found by scanning. Each module has TITLE, SUFFIX, MIME and render()."""

from __future__ import annotations

import importlib
import pkgutil
import re
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from engine.document import ComparisonDocument
from engine.errors import BadInput


@dataclass(frozen=True)
class ReportFormat:
    """One way to export a comparison."""

    name: str
    title: str
    suffix: str
    mime: str
    about: str


def formats() -> dict[str, ReportFormat]:
    """Every export format by name."""
    found = {}
    for info in pkgutil.iter_modules(__path__):
        module = load(info.name)
        if hasattr(module, "render"):
            about = (module.__doc__ or "").splitlines()[0]
            found[info.name] = ReportFormat(info.name, module.TITLE, module.SUFFIX, module.MIME, about)
    return found


def load(name: str) -> ModuleType:
    """The module of one format."""
    return importlib.import_module(f"{__name__}.{name}")


def render(document: ComparisonDocument, format: str) -> bytes:
    """Make one export in memory; raises BadInput for an unknown format."""
    if format not in formats():
        raise BadInput(f"There is no report format {format!r}.", f"Formats: {', '.join(formats())}.")
    text: str = load(format).render(document)
    return text.encode()


def file_name(document: ComparisonDocument, format: str) -> str:
    """A name for the file, made from the comparison's."""
    stem = re.sub(r"[^A-Za-z0-9]+", "-", document.name).strip("-").lower() or "comparison"
    return f"{stem}{formats()[format].suffix}"


def write(document: ComparisonDocument, format: str, folder: Path) -> Path:
    """Write one export into `folder` (made when missing) and give its path.

    Raises BadInput for an unknown format or a folder that can't be written.
    """
    data = render(document, format)
    path = folder / file_name(document, format)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise BadInput(f"{path} can't be written: {error.strerror}.", "Choose another folder.") from error
    return path
