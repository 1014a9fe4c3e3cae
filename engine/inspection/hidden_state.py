"""Find out whether a model remembers: the same input twice, from the same seed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engine.inspection.observe import Observation, Run, feeds

TOLERANCE = 1e-4


def answers_differently(fresh: Callable[[], Run], seen: Observation) -> bool:
    """Whether the second answer to the same input differs from the first by more than rounding."""
    run = fresh()
    inputs = feeds(seen, 2)
    first, second = run(inputs), run(inputs)
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
    return not np.allclose(one, other, rtol=0, atol=TOLERANCE * scale, equal_nan=True)
