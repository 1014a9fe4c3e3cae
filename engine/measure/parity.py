"""How far a variant's outputs are from the reference's: MEASURING.md rules 11 and 12.

Each output is compared over all samples together; the worst one decides. Outputs of integers and
booleans are compared for equality. An output whose reference is constant across samples or nearly
zero shows nothing: it is recorded and not judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from engine.measure.scores import agreement, near_ties
from engine.measure.sequence import Outputs
from engine.spec import Parity

RELATIVE_L2 = {
    "fp32": 1e-4, "tf32": 5e-3, "fp16": 2e-2, "bf16": 2e-2, "int8": 1e-1, "fp8": 1e-1, "int4": 2e-1,
}  # fmt: skip
TOP1 = {"int8": 0.97, "fp8": 0.97, "int4": 0.97}
TOP1_OTHERWISE = 0.99
NEARLY_ZERO = 1e-6
CONSTANT = 1e-5
SPREAD_FACTOR = 2.0


def relative_l2_limit(precision: str) -> float:
    """The largest relative L2 error that passes; an unknown precision is judged as FP32."""
    return RELATIVE_L2.get(precision, RELATIVE_L2["fp32"])


def top1_limit(precision: str) -> float:
    """The smallest top-1 agreement that passes; for integer outputs the share of equal elements."""
    return TOP1.get(precision, TOP1_OTHERWISE)


@dataclass(frozen=True)
class Comparison:
    """One output against its reference. Errors are None where nothing could be compared."""

    name: str
    relative_l2: float | None = None
    cosine: float | None = None
    snr_db: float | None = None
    max_abs: float | None = None
    mean_abs: float | None = None
    unequal: float | None = None
    evidence: bool = True
    finite: bool = True
    shapes: bool = True
    problem: str = ""


def floats(reference: np.ndarray, output: np.ndarray, name: str) -> Comparison:
    """Compare two floating arrays of one shape; values that are not finite must match in kind."""
    expected = reference.astype(np.float64).ravel()
    found = output.astype(np.float64).ravel()
    usable = np.isfinite(expected)
    strays = usable & ~np.isfinite(found)
    same_kind = np.array_equal(expected[~usable], found[~usable], equal_nan=True)
    if strays.any() or not same_kind:
        count = int(strays.sum()) if strays.any() else int((~usable).sum())
        return Comparison(
            name, finite=False, problem=f"Output {name} has {count} of {found.size} values that are NaN or infinite"
        )
    expected, found = expected[usable], found[usable]
    error = found - expected
    signal, noise = float(np.linalg.norm(expected)), float(np.linalg.norm(error))
    length = float(np.linalg.norm(found))
    return Comparison(
        name,
        relative_l2=noise / signal if signal else (0.0 if noise == 0 else None),
        cosine=min(1.0, float(expected @ found / (signal * length))) if signal and length else None,
        snr_db=20.0 * float(np.log10(signal / noise)) if signal and noise else None,
        max_abs=float(np.abs(error).max(initial=0.0)),
        mean_abs=float(np.abs(error).mean()) if error.size else 0.0,
        evidence=expected.size > 0 and not is_constant(reference),
    )


def is_constant(reference: np.ndarray) -> bool:
    """Whether a reference says nothing: nearly zero, or the same for every sample (axis 0)."""
    finite = np.where(np.isfinite(reference), reference, 0).astype(np.float64)
    if np.abs(finite).max(initial=0.0) < NEARLY_ZERO:
        return True
    if reference.ndim == 0 or len(reference) < 2:
        return False
    return float(np.linalg.norm(finite - finite[:1])) <= CONSTANT * float(np.linalg.norm(finite))


def equality(reference: np.ndarray, output: np.ndarray, name: str) -> Comparison:
    """Compare two arrays of integers or booleans of one shape."""
    unequal = float(np.mean(reference != output)) if reference.size else 0.0
    constant = len(np.atleast_1d(reference)) > 1 and bool(np.all(reference == reference[:1])) and reference.ndim > 0
    return Comparison(name, unequal=unequal, evidence=reference.size > 0 and not constant)


def compare_output(reference: Outputs, output: Outputs, index: int, name: str) -> Comparison:
    """Compare one output; calls of other shapes are left out when the shape depends on the data."""
    expected, found = reference.calls[index], output.calls[index]
    same = [mine.shape == theirs.shape for mine, theirs in zip(expected, found, strict=True)]
    if not all(same):
        varies = len({each.shape for each in expected}) > 1
        where = next(k for k, equal in enumerate(same) if not equal)
        shapes = f"{'x'.join(map(str, found[where].shape))} instead of {'x'.join(map(str, expected[where].shape))}"
        problem = f"Output {name} has the shape {shapes}"
        if varies:
            problem += f", in {same.count(False)} of {len(same)} calls; its shape depends on the data"
        return Comparison(name, shapes=False, problem=problem)
    mine, theirs = joined(expected), joined(found)
    if np.issubdtype(mine.dtype, np.floating) or np.issubdtype(theirs.dtype, np.floating):
        return floats(mine, theirs, name)
    return equality(mine, theirs, name)


def joined(calls: Sequence[np.ndarray]) -> np.ndarray:
    """One output of several calls along axis 0; flattened where the calls' shapes don't fit."""
    if len({each.shape[1:] for each in calls}) == 1 and all(each.ndim for each in calls):
        return np.concatenate(calls)
    return np.concatenate([each.ravel() for each in calls])


def compare(
    reference: Outputs,
    output: Outputs,
    *,
    names: Sequence[str],
    precision: str,
    samples: int,
    evidence: Literal["data", "random"],
    scores: int | None = None,
    spread: float = 0.0,
    own_agreement: float | None = None,
    lossy: str = "",
) -> Parity:
    """Judge a variant.

    `scores` is the index of the output that holds class scores. `spread` and `own_agreement` are
    how far a stochastic reference is from itself. `lossy` says why a variant is meant to differ
    (it was pruned or retrained): its figures are recorded, and only NaN and shapes are judged.
    """
    common: dict[str, Any] = {"precision": precision, "samples": samples}
    if len(reference.calls) != len(output.calls):
        reason = f"The variant has {len(output.calls)} outputs and the reference {len(reference.calls)}."
        return Parity(False, reason=reason, evidence=evidence, **common)
    found = [compare_output(reference, output, index, name) for index, name in enumerate(names)]
    tolerance = max(relative_l2_limit(precision), SPREAD_FACTOR * spread)
    least = top1_limit(precision) if own_agreement is None else min(top1_limit(precision), own_agreement - 0.02)
    top1, ties = None, 0
    if scores is not None and found[scores].shapes and found[scores].finite:
        mine, theirs = joined(reference.calls[scores]), joined(output.calls[scores])
        top1 = agreement(mine, theirs)
        ties = near_ties(mine, theirs, tolerance) if evidence == "random" else 0
    judged = [each for each in found if each.evidence]
    problems = [each.problem for each in found if each.problem]
    if not lossy:
        problems += verdicts(judged, tolerance, least)
        if top1 is not None and found[scores or 0].evidence and top1 + ties / max(samples, 1) < least:
            problems.append(f"The top-1 class agrees for {top1:.1%} of {samples} samples, below {least:.0%}")
    passed: bool | None = not problems
    reason = "; ".join(problems[:3]) + "." if problems else ""
    if not problems and not judged:
        passed, reason = None, "The reference is constant or nearly zero on these inputs, which proves nothing."
    elif not problems and spread >= 1.0:
        passed, reason = None, "The model differs from itself as much as from anything, which proves nothing."
    elif not problems and lossy:
        passed, reason = None, lossy
    worst = worst_of(judged or found)
    return Parity(
        passed,
        relative_l2=worst.relative_l2,
        cosine=worst.cosine,
        snr_db=worst.snr_db,
        max_abs=worst.max_abs,
        mean_abs=worst.mean_abs,
        top1_agreement=top1,
        evidence=evidence if judged else "none",
        tolerance=tolerance,
        finite=all(each.finite for each in found),
        reason=reason,
        outputs={each.name: figure for each in found if (figure := figure_of(each)) is not None},
        **common,
    )


def verdicts(judged: Sequence[Comparison], tolerance: float, least: float) -> list[str]:
    """What is wrong with each output, in words."""
    problems = []
    for each in judged:
        if each.relative_l2 is not None and each.relative_l2 > tolerance:
            problems.append(
                f"Output {each.name} differs by {each.relative_l2:.2g} (relative L2), above {tolerance:.2g}"
            )
        elif each.cosine is not None and each.cosine < 1.0 - tolerance**2 / 2:
            problems.append(f"Output {each.name} points elsewhere: cosine {each.cosine:.6f}")
        elif each.unequal is not None and each.unequal > 1.0 - least:
            problems.append(f"Output {each.name} has {each.unequal:.1%} other values")
    return problems


def figure_of(each: Comparison) -> float | None:
    """The one figure kept for every output: relative L2, or the share of unequal elements."""
    return each.relative_l2 if each.relative_l2 is not None else each.unequal


def worst_of(found: Sequence[Comparison]) -> Comparison:
    """The output with the largest error; floating outputs before integer ones."""
    return max(found, key=lambda each: (each.relative_l2 is not None, figure_of(each) or 0.0), default=Comparison(""))
