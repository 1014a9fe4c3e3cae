"""How far two sets of outputs are apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

TOLERANCE = {"fp32": 1e-3, "tf32": 5e-3, "fp16": 2e-2, "bf16": 4e-2}


def relative_l2(expected: Sequence[np.ndarray], found: Sequence[np.ndarray]) -> float:
    """The worst relative L2 error over the outputs; infinity where number, shape or finiteness differ."""
    if len(expected) != len(found):
        return float("inf")
    return max((tensor_relative_l2(a, b) for a, b in zip(expected, found, strict=True)), default=0.0)


def tensor_relative_l2(expected: np.ndarray, found: np.ndarray) -> float:
    """The relative L2 error of one tensor; NaN and infinity must stand in the same places."""
    if expected.shape != found.shape:
        return float("inf")
    wide_expected, wide_found = expected.astype(np.float64), found.astype(np.float64)
    if not np.array_equal(np.isfinite(wide_expected), np.isfinite(wide_found)):
        return float("inf")
    wide_expected = np.nan_to_num(wide_expected, posinf=0.0, neginf=0.0)
    wide_found = np.nan_to_num(wide_found, posinf=0.0, neginf=0.0)
    difference = float(np.linalg.norm(wide_expected - wide_found))
    scale = float(np.linalg.norm(wide_expected))
    if difference == 0.0:
        return 0.0
    return difference / scale if scale > 0.0 else float("inf")
