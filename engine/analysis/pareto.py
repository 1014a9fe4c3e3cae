"""The Pareto front: variants that nothing else beats on every axis at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from engine.metrics import METRICS


def eligible(frame: pd.DataFrame) -> pd.Series:
    """Which rows may win anything: status ok, and parity not failed.

    Suspect, failed and unfinished variants never do.
    """
    return (frame["status"] == "ok") & (frame["parity"] != "failed")


def front(frame: pd.DataFrame, metrics: Sequence[str]) -> pd.Series:
    """Mark the eligible rows that no other eligible row dominates.

    A row dominates another when it is at least as good on every metric and better on one. Rows
    that lack one of the figures are not on the front. Ties stay on it together.
    """
    usable = eligible(frame) & frame[list(metrics)].notna().all(axis=1)
    signs = np.array([1.0 if METRICS[each].better == "lower" else -1.0 for each in metrics])
    values = frame.loc[usable, list(metrics)].to_numpy(dtype=float) * signs
    best = [not bool(np.any(np.all(values <= row, axis=1) & np.any(values < row, axis=1))) for row in values]
    marked = pd.Series(False, index=frame.index)
    marked[usable] = np.array(best, dtype=bool)  # typed also where nothing is eligible
    return marked
