"""Whether a model gave the same answer twice."""

from __future__ import annotations

import numpy as np

ROUNDING = 1e-4


def differ(first: list[np.ndarray], second: list[np.ndarray]) -> bool:
    """Whether two answers are not the same within rounding."""
    if len(first) != len(second):
        return True
    return any(differs(one, other) for one, other in zip(first, second, strict=True))


def differs(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two outputs are not the same within rounding."""
    if one.shape != other.shape:
        return True
    if one.dtype.kind != "f":
        return bool((one != other).any())
    scale = float(np.nanmax(np.abs(one), initial=0.0)) or 1.0
    return not np.allclose(one, other, rtol=0, atol=ROUNDING * scale, equal_nan=True)
