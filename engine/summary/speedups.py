"""What depends on other variants: speed-ups, stability, paired accuracy, and why a variant is slow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from engine import stats
from engine.analysis.diagnosis import diagnose
from engine.document import Interval, Result, Speedup, VariantDocument
from engine.formats import all_formats
from engine.measurement import Accuracy, Latency
from engine.steps import steps_named
from engine.store.rows import ComparisonRow
from engine.summary.judging import judged
from engine.summary.memory import figures
from engine.summary.results import GOOD, Evidence, pooled

LATENCY = "resident"
Rounds = Mapping[int, list[Latency]]


def with_speedups(
    variants: Sequence[VariantDocument], evidence: Sequence[Evidence], comparison: ComparisonRow
) -> tuple[VariantDocument, ...]:
    """The variants with every figure that compares them."""
    pairs = list(zip(variants, evidence, strict=True))
    finished = []
    for document, mine in pairs:
        results = tuple(compared(each, document, mine, pairs, comparison) for each in document.results)
        finished.append(replace(document, results=results))
    return tuple(finished)


def with_diagnosis(variants: Sequence[VariantDocument], environment: dict[str, Any]) -> tuple[VariantDocument, ...]:
    """The variants with what stands out at each batch size."""
    baseline = next((each for each in variants if each.baseline), None)
    theirs = {each.batch_size: each for each in baseline.results} if baseline else {}
    return tuple(
        replace(
            variant,
            results=tuple(
                replace(each, diagnosis=diagnose(each, variant, theirs.get(each.batch_size), environment))
                for each in variant.results
            ),
        )
        for variant in variants
    )


def compared(
    result: Result,
    document: VariantDocument,
    mine: Evidence,
    pairs: Sequence[tuple[VariantDocument, Evidence]],
    comparison: ComparisonRow,
) -> Result:
    """One result beside the baseline's and the best plain run's at the same batch size."""
    size = result.batch_size
    baseline = next((each for each in pairs if each[0].baseline), None)
    plain = best_plain(document, size, pairs, comparison)
    speedups: dict[str, Speedup] = {}
    if baseline is not None and not document.baseline:
        add_speedup(speedups, "baseline", mine, baseline, size)
    if plain is not None:
        add_speedup(speedups, "same-precision", mine, plain, size)
    return judged(
        replace(
            result,
            speedup=speedups,
            unstable=stability(mine, baseline[1] if baseline else None, size, comparison.workload.device),
            accuracy_difference=difference(result, baseline[0] if baseline and not document.baseline else None),
        )
    )


def add_speedup(
    speedups: dict[str, Speedup], name: str, mine: Evidence, other: tuple[VariantDocument, Evidence], size: int
) -> None:
    """Add the speed-up over another variant, from the rounds both were measured in."""
    rounds, theirs = mine.good_rounds(size, LATENCY), other[1].good_rounds(size, LATENCY)
    common = [number for number in rounds if number in theirs]
    if common:
        speedups[name] = figures.recall(
            ("speed-up", mine.key(size, LATENCY), other[1].key(size, LATENCY), other[0].label),
            lambda: stats.speedup(
                [stats.milliseconds(pooled(rounds[number])) for number in common],
                [[stats.milliseconds(each) for each in theirs[number]] for number in common],
                against=other[0].label,
            ),
        )


def best_plain(
    document: VariantDocument,
    size: int,
    pairs: Sequence[tuple[VariantDocument, Evidence]],
    comparison: ComparisonRow,
) -> tuple[VariantDocument, Evidence] | None:
    """The fastest run without any optimization but its precision, at this variant's precision.

    Plain is what the upload's own reference runtime does with nothing but a cast before it.
    """
    reference = all_formats()[comparison.spec.format].reference
    found = None
    fastest = float("inf")
    for other, theirs in pairs:
        names = [each.name for each in theirs.row.variant.route]
        cast_only = all(step.kind == "precision" for name in names for step in steps_named(name))
        if reference is None or other.runtime != reference.name or not cast_only:
            continue
        result = next((each for each in other.results if each.batch_size == size), None)
        if other is document or not document.precision or other.precision != document.precision or result is None:
            continue
        summary = result.latency_ms.get(LATENCY)
        if result.status in GOOD and summary is not None and summary.p50 < fastest:
            found, fastest = (other, theirs), summary.p50
    return found


def stability(mine: Evidence, baseline: Evidence | None, size: int, device: str) -> str:
    """Why the latency is unstable, or nothing. After one round the baseline's drift is all there is to judge by."""
    rounds = mine.good_rounds(size, LATENCY)
    if not rounds:
        return ""
    witness = baseline if baseline is mine or len(rounds) == 1 else None
    key = ("unstable", mine.key(size, LATENCY), witness.key(size, LATENCY) if witness else None)
    return figures.recall(key, lambda: spread(rounds, witness.good_rounds(size, LATENCY) if witness else {}, device))


def spread(rounds: Rounds, baseline: Rounds, device: str) -> str:
    """What speaks against a latency: its own variation, and the baseline's drift in the same rounds."""
    ends = [
        (stats.milliseconds(baseline[number][0]), stats.milliseconds(baseline[number][-1]))
        for number in rounds
        if len(baseline.get(number, [])) > 1
    ]
    return stats.unstable([stats.milliseconds(pooled(each)) for each in rounds.values()], device, ends)


def difference(result: Result, baseline: VariantDocument | None) -> Interval | None:
    """The accuracy's difference from the baseline's on the same samples."""
    if baseline is None or result.accuracy is None:
        return None
    theirs = next((each.accuracy for each in baseline.results if each.batch_size == result.batch_size), None)
    mine = flags(result.accuracy)
    other = flags(theirs)
    if mine is None or other is None:
        return None
    return stats.paired_difference(mine, other)


def flags(accuracy: Accuracy | None) -> np.ndarray | None:
    """One boolean a sample, or None when none were kept."""
    if accuracy is None or not accuracy.correct:
        return None
    return stats.decode_flags(accuracy.correct, accuracy.samples)
