"""Axes: linear or logarithmic, zoomed where zero is far away, and saying so."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from engine.metrics import Metric

LOG_SPAN = 20.0
DECADES = 4
BARS = 0.74
"""The part of a chart's width that bars may take."""


def spans_widely(values: pd.Series) -> bool:
    """Whether positive values span more than 20×."""
    positive = values[values > 0]
    return len(positive) > 1 and bool(positive.max() / positive.min() > LOG_SPAN)


def zoom(rows: pd.DataFrame, facts: Metric) -> tuple[float, float]:
    """The part of an axis that matters: around the results that are not suspect, at least a point wide."""
    trusted = rows[rows["status"] != "suspect"]
    trusted = trusted if trusted[facts.name].notna().any() else rows
    columns = [each for each in (facts.name, facts.low, facts.high) if each]
    values = trusted[columns].to_numpy(dtype=float) * facts.unit_scale
    if not np.isfinite(values).any():
        return 0.0, 100.0
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    room = max(0.08 * (high - low), 0.5)
    return max(low - room, -0.5), min(high + room, 100.5)


def x_axis(values: pd.Series, *, log: bool, window: tuple[float, float] | None) -> dict[str, Any]:
    """The axis; to its right is room for the figures."""
    axis: dict[str, Any] = {"domain": [0, BARS], "fixedrange": True, "nticks": 4, "zeroline": False}
    if log:
        return {**axis, **log_ticks(values), "type": "log"}
    if window:
        return {**axis, "range": list(window), "ticksuffix": "%"}
    return {**axis, "rangemode": "tozero"}


def axis_title(facts: Metric, *, log: bool, window: tuple[float, float] | None) -> str:
    """Unit, scale and direction."""
    scale = ", log scale" if log else f", from {window[0]:.0f}" if window and window[0] > 1 else ""
    return f"{facts.axis}{scale} · {facts.better} is better"


def log_ticks(values: pd.Series) -> dict[str, Any]:
    """Ticks at 1, 2, 5 × 10ⁿ, or at powers of ten alone, and not all of them, where the span is wide."""
    positive = values[values > 0]
    low, high = float(np.log10(positive.min())), float(np.log10(positive.max()))
    steps = (1,) if high - low > 2.5 else (1, 3) if high - low > 1.3 else (1, 2, 5)
    stride = max(1, round((high - low) / DECADES))
    powers = range(math.floor(low), math.ceil(high) + 1, stride)
    ticks = [step * 10.0**power for power in powers for step in steps]
    return {"tickvals": ticks, "ticktext": [f"{each:,g}" for each in ticks], "range": [low - 0.15, high + 0.15]}
