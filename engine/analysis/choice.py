"""Choosing a variant: what meets the constraints, and which of those is best at what."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.analysis.pareto import eligible

ACCURACY_LOSS = 0.01
EQUAL_LATENCY = 0.02


@dataclass(frozen=True)
class Constraints:
    """What a variant has to meet; None asks for nothing. Times in ms, sizes in bytes, accuracy 0 to 1."""

    max_latency_ms: float | None = None
    min_accuracy: float | None = None
    max_bytes: float | None = None


def meets(frame: pd.DataFrame, constraints: Constraints) -> pd.Series:
    """Which rows meet every constraint; a row without the figure asked for does not."""
    allowed = pd.Series(True, index=frame.index)
    if constraints.max_latency_ms is not None:
        allowed &= frame["latency_ms"] <= constraints.max_latency_ms
    if constraints.min_accuracy is not None:
        allowed &= frame["accuracy"] >= constraints.min_accuracy
    if constraints.max_bytes is not None:
        allowed &= frame["file_bytes"] <= constraints.max_bytes
    return allowed


def candidates(frame: pd.DataFrame, constraints: Constraints | None = None) -> pd.DataFrame:
    """The rows that may win: ok, parity not failed, every constraint met."""
    return frame[eligible(frame) & meets(frame, constraints or Constraints())]


def fastest(frame: pd.DataFrame) -> pd.Series | None:
    """The row with the lowest median latency; an unstable one has to be faster by more than its own spread.

    Of variants that can't be told from it (at most 2 % slower, and the intervals touch), the most accurate.
    """
    best = pick(frame, steady_latency(frame))
    if best is None or frame["accuracy"].isna().all():
        return best
    equal = frame[
        (steady_latency(frame) <= best["latency_ms"] * (1.0 + EQUAL_LATENCY))
        & (frame["latency_low"] <= best["latency_high"])
        & (frame["baseline"].astype(bool) == bool(best["baseline"]))
    ]
    return best if equal.empty else most_accurate(equal)


def steady_latency(frame: pd.DataFrame) -> pd.Series:
    """Latency in ms, with the spread of its calls added where the timings were unstable."""
    spread = frame["variation"].fillna(0.0).where(frame["unstable"] != "", 0.0)
    return frame["latency_ms"] * (1.0 + spread)


def smallest(frame: pd.DataFrame) -> pd.Series | None:
    """The row with the smallest file; of equal ones, the fastest."""
    ordered = frame.sort_values("latency_ms", kind="stable")
    return pick(ordered, ordered["file_bytes"])


def most_accurate(frame: pd.DataFrame) -> pd.Series | None:
    """The row with the highest accuracy; of equal ones, the fastest."""
    ordered = frame.sort_values("latency_ms", kind="stable")
    return pick(ordered, -ordered["accuracy"])


def least_error(frame: pd.DataFrame) -> pd.Series | None:
    """The row whose outputs differ least from the original's; of equal ones, the fastest."""
    ordered = frame.sort_values("latency_ms", kind="stable")
    return pick(ordered, ordered["relative_l2"])


def balanced(frame: pd.DataFrame, baseline: pd.Series | None) -> pd.Series | None:
    """The row with the best product of speed-up and shrinkage that keeps the baseline's accuracy.

    Kept means: at most one percentage point lost. Where there is no accuracy, speed and size decide.
    """
    if baseline is None:
        return None
    kept = frame
    if frame["accuracy"].notna().any() and pd.notna(baseline["accuracy"]):
        kept = frame[frame["accuracy"] >= baseline["accuracy"] - ACCURACY_LOSS]
    gain = np.log(steady_latency(kept) / baseline["latency_ms"]) + np.log(kept["file_bytes"] / baseline["file_bytes"])
    return pick(kept, gain)


def pick(frame: pd.DataFrame, cost: pd.Series) -> pd.Series | None:
    """The row of lowest cost, or None when no row has one."""
    usable = cost.dropna()
    return None if usable.empty else frame.loc[usable.idxmin()]
