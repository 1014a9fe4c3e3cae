"""The README's table of recorded GPU comparisons: the reference and the fastest correct variant of each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine import document as documents
from engine import frames
from engine.analysis import choice, numbers
from engine.document import ComparisonDocument, Result, VariantDocument

FOLDER = Path(__file__).resolve().parent
HEAD = ("model", "batch", "reference", "fastest correct variant", "gain", "right by", "rounds", "measured on")


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
    measured = {
        variant.id: (variant, result)
        for variant in document.variants
        for result in variant.results
        if result.batch_size == batch_size and result.status == "ok" and "resident" in result.latency_ms
    }
    reference = next((each for each in measured.values() if each[0].baseline), None)
    winner = choice.fastest(choice.candidates(frames.results(document, batch_size=batch_size)))
    if reference is None or winner is None or len(measured) < 2:
        return
    fastest = measured[winner["variant"]]
    yield [
        document.name,
        str(batch_size),
        f"{reference[0].label}, {numbers.duration(latency(reference[1]))}",
        f"**{fastest[0].label}, {numbers.duration(latency(fastest[1]))}**",
        gain(*fastest),
        right_by(fastest[1], reference[1]),
        str(fastest[1].latency_ms["resident"].rounds),
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


def right_by(result: Result, reference: Result) -> str:
    """What shows that a variant still does its work: the error of its outputs, or its accuracy once it was trained."""
    if result.parity is None:
        return ""
    if result.parity.judged_by == "accuracy" and result.accuracy and reference.accuracy:
        return f"accuracy {numbers.percent(result.accuracy.value)}, was {numbers.percent(reference.accuracy.value)}"
    error = result.parity.relative_l2
    return f"error {error:.1e}" if error is not None else ""


def place(document: ComparisonDocument) -> str:
    """GPU and date of a recording."""
    return f"{frames.machine(document)}, {document.created[:10]}"
