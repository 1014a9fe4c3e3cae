"""The README's table of recorded GPU comparisons: the reference and the fastest correct variant of each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine import document as documents
from engine.analysis import numbers
from engine.document import ComparisonDocument, Result, VariantDocument
from engine.frames import machine

FOLDER = Path(__file__).resolve().parent
HEAD = ("model", "batch", "reference", "fastest correct variant", "gain", "relative error", "measured on")


def rows(folder: Path = FOLDER) -> list[list[str]]:
    """One row for each model and batch size of every recording made on a GPU."""
    found = []
    for path in sorted(folder.glob("*.json.gz")):
        document = documents.read(path)
        if document.workload.device.startswith("cuda"):
            found += [row for size in document.workload.batch_sizes for row in row_of(document, size)]
    return found


def row_of(document: ComparisonDocument, batch_size: int) -> Iterator[list[str]]:
    """The row of one batch size; none where the reference or every variant failed."""
    measured = [
        (variant, result)
        for variant in document.variants
        for result in variant.results
        if result.batch_size == batch_size and result.status == "ok" and "resident" in result.latency_ms
    ]
    reference = next((each for each in measured if each[0].baseline), None)
    if reference is None or len(measured) < 2:
        return
    fastest = min(measured, key=lambda each: latency(each[1]))
    yield [
        document.name,
        str(batch_size),
        f"{reference[0].label}, {numbers.duration(latency(reference[1]))}",
        f"**{fastest[0].label}, {numbers.duration(latency(fastest[1]))}**",
        gain(*fastest),
        f"{fastest[1].parity.relative_l2:.1e}"
        if fastest[1].parity and fastest[1].parity.relative_l2 is not None
        else "",
        place(document),
    ]


def latency(result: Result) -> float:
    """Device-resident median in milliseconds."""
    return result.latency_ms["resident"].p50


def gain(variant: VariantDocument, result: Result) -> str:
    """How much faster than the reference, with its interval."""
    found = result.speedup.get("baseline")
    if variant.baseline or found is None:
        return "no difference"
    return numbers.ratio(found.value, found.low, found.high, different=found.different)


def place(document: ComparisonDocument) -> str:
    """GPU and date of a recording."""
    return f"{machine(document)}, {document.created[:10]}"
