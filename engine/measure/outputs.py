"""One output of a variant against the reference's, over all calls together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.measure.differences import spread, sums
from engine.measure.sequence import Outputs

NEARLY_ZERO = 1e-6
ROUNDING = float(np.finfo(np.float32).eps)
"""What FP32 rounds off values around 1: an output no larger on average may be nothing but that."""
CONSTANT = 1e-5


@dataclass(frozen=True)
class Comparison:
    """One output against its reference. Errors are None where nothing could be compared.

    A reference without `evidence` can't show that an output is right, but it can show that one is
    wrong: `astray` is how far the output left it, relative to the reference, or as it is where the
    reference is nearly zero.
    """

    name: str
    relative_l2: float | None = None
    cosine: float | None = None
    snr_db: float | None = None
    max_abs: float | None = None
    mean_abs: float | None = None
    unequal: float | None = None
    evidence: bool = True
    astray: float | None = None
    finite: bool = True
    shapes: bool = True
    problem: str = ""
    note: str = ""


def floats(reference: np.ndarray, output: np.ndarray, name: str) -> Comparison:
    """Compare two floating arrays of one shape; values that are not finite must match in kind."""
    found = sums(reference, output)
    if found.strays:
        problem = f"Output {name} has {found.strays} of {output.size} values that are NaN or infinite"
        if np.isfinite(output).all():
            problem = f"Output {name} has {found.strays} finite values where the original's are NaN or infinite"
        return Comparison(name, finite=bool(np.isfinite(output).all()), problem=problem)
    signal, noise, length = (math.sqrt(each) for each in (found.signal, found.noise, found.length))
    relative = noise / signal if signal else (0.0 if noise == 0 else None)
    nearly_zero, constant = nothing_in(reference)
    return Comparison(
        name,
        relative_l2=relative,
        cosine=min(1.0, found.product / (signal * length)) if signal and length else None,
        snr_db=20.0 * math.log10(signal / noise) if signal and noise else None,
        max_abs=found.largest,
        mean_abs=found.absolute / found.elements if found.elements else 0.0,
        evidence=found.elements > 0 and not nearly_zero and not constant,
        astray=noise / math.sqrt(max(1, found.elements)) if nearly_zero else relative,
    )


def is_constant(reference: np.ndarray) -> bool:
    """Whether a reference says nothing: nearly zero, or the same for every sample (axis 0)."""
    if reference.dtype.kind not in "fiub":
        return bool(np.all(reference == reference[:1]))
    return any(nothing_in(reference))


def nothing_in(reference: np.ndarray) -> tuple[bool, bool]:
    """Whether a reference is so small that it may be rounding alone, and whether it is the same for every sample."""
    largest, norm, difference = spread(reference)
    nearly_zero = largest < NEARLY_ZERO or norm < ROUNDING * math.sqrt(reference.size)
    return nearly_zero, reference.ndim > 0 and len(reference) > 1 and difference <= CONSTANT * norm


def equality(reference: np.ndarray, output: np.ndarray, name: str) -> Comparison:
    """Compare two arrays of integers or booleans of one shape."""
    unequal = float(np.mean(reference != output)) if reference.size else 0.0
    constant = len(np.atleast_1d(reference)) > 1 and bool(np.all(reference == reference[:1])) and reference.ndim > 0
    return Comparison(name, unequal=unequal, evidence=reference.size > 0 and not constant, astray=unequal)


def compare_output(reference: Outputs, output: Outputs, index: int, name: str) -> Comparison:
    """Compare one output over all calls."""
    expected, found = reference.calls[index], output.calls[index]
    other = [k for k, pair in enumerate(zip(expected, found, strict=True)) if pair[0].shape != pair[1].shape]
    if other:
        return other_shapes(expected, found, other, name)
    mine, theirs = joined(expected), joined(found)
    if np.issubdtype(mine.dtype, np.floating) or np.issubdtype(theirs.dtype, np.floating):
        return floats(mine, theirs, name)
    return equality(mine, theirs, name)


def other_shapes(
    expected: Sequence[np.ndarray], found: Sequence[np.ndarray], other: Sequence[int], name: str
) -> Comparison:
    """An output with another shape in some calls: wrong, unless its shape depends on the data.

    Detectors find a box more or less near their threshold; then the share of elements too many or
    too few is judged, and no values, because they no longer lie side by side.
    """
    mine, theirs = expected[other[0]].shape, found[other[0]].shape
    text = f"Output {name} has the shape {sizes(theirs)} instead of {sizes(mine)}"
    if len({each.shape for each in expected}) == 1 or len(mine) != len(theirs):
        return Comparison(name, shapes=False, problem=text)
    missing = sum(abs(expected[k].size - found[k].size) for k in other)
    share = missing / max(1, sum(each.size for each in expected))
    text += f" in {len(other)} of {len(expected)} calls; its shape depends on the data"
    return Comparison(
        name, shapes=False, unequal=share, finite=all(np.isfinite(each).all() for each in found), note=text
    )


def sizes(shape: tuple[int, ...]) -> str:
    """A shape in words."""
    return "x".join(map(str, shape)) or "a scalar"


def joined(calls: Sequence[np.ndarray]) -> np.ndarray:
    """One output of several calls along axis 0; flattened where the calls' shapes don't fit."""
    if len({each.shape[1:] for each in calls}) == 1 and all(each.ndim for each in calls):
        return np.concatenate(calls)
    return np.concatenate([each.ravel() for each in calls])
