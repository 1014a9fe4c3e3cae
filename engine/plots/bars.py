"""One metric of every variant as a horizontal chart; four of them stand side by side.

The variant's name and its figure stand above each bar, so a chart can be read alone and at any
width. Bars start at zero. Where zero is far away (accuracy) or values span over 20× (log scale),
points take their place, because a bar's length would lie there.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from engine.analysis import numbers
from engine.frames import METRICS, Metric, axis_of
from engine.plots.colours import BAD_TEXT, MUTED, STATUSES, TEXT, WARNING_TEXT, Theme, colour
from engine.plots.hover import describe
from engine.plots.theme import template

LOG_SPAN = 20.0
ROW_HEIGHT = 44
NAME_LENGTH = 32
FADED = 0.22


def bar_chart(
    rows: pd.DataFrame,
    metric: str,
    *,
    theme: Theme = "light",
    faded: Collection[str] = (),
    selected: str = "",
    title: str = "",
) -> go.Figure:
    """Draw one metric; `rows` has one row for each variant, drawn from top to bottom.

    Variants in `faded` (they fail a constraint) are pale. Each point's customdata is the variant's id.
    """
    scale, axis = axis_of(METRICS[metric], rows[metric])
    facts = replace(METRICS[metric], unit_scale=scale, axis=axis)
    values = rows[metric] * scale
    zoomed = metric == "accuracy"
    log = not zoomed and spans_widely(values)
    points = log or zoomed
    window = zoom(rows, facts) if zoomed else None
    traces: list[go.Bar | go.Scatter] = []
    annotations: list[dict[str, Any]] = []
    for position, (_, row) in enumerate(rows.iterrows()):
        value = values.iloc[position]
        pale = row["variant"] in faded
        annotations += row_labels(row, facts, position, theme, pale=pale, bold=row["variant"] == selected)
        if pd.isna(value):
            continue
        opacity = FADED if pale else 1.0
        if points:
            traces.append(point(row, facts, position, float(value), theme, opacity, window))
        else:
            traces.append(bar(row, facts, position, float(value), theme, opacity))
    # One call for everything: adding annotations one by one takes quadratic time in Plotly.
    return go.Figure(
        traces,
        {
            "template": template(theme),
            "title": {
                "text": title or facts.title,
                "y": 0.99,
                "yanchor": "top",
                "yref": "container",
                "pad": {"t": 6},
            },
            "height": 92 + ROW_HEIGHT * len(rows),
            "showlegend": False,
            "bargap": 0,
            "margin": {"l": 4, "r": 10, "t": 40, "b": 48},
            "yaxis": {"visible": False, "range": [len(rows) - 0.4, -0.85], "fixedrange": True},
            "xaxis": x_axis(values, facts, log=log, window=window),
            "annotations": annotations,
        },
    )


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


def x_axis(values: pd.Series, facts: Metric, *, log: bool, window: tuple[float, float] | None) -> dict[str, Any]:
    """The axis: unit, scale and direction are written on it."""
    scale = ", log scale" if log else ""
    axis: dict[str, Any] = {
        "title": {"text": f"{facts.axis}{scale} · {facts.better} is better"},
        "fixedrange": True,
        "nticks": 5,
        "zeroline": False,
    }
    if log:
        return {**axis, **log_ticks(values), "type": "log"}
    if window:
        starts = f", from {window[0]:.0f}" if window[0] > 1 else ""
        title = {"text": f"{facts.axis}{starts} · {facts.better} is better"}
        return {**axis, "title": title, "range": list(window), "ticksuffix": "%"}
    return {**axis, "rangemode": "tozero"}


def log_ticks(values: pd.Series) -> dict[str, Any]:
    """Ticks at 1, 2, 5 × 10ⁿ, or at powers of ten alone where the span is wide."""
    positive = values[values > 0]
    low, high = float(np.log10(positive.min())), float(np.log10(positive.max()))
    steps = (1,) if high - low > 2.5 else (1, 3) if high - low > 1.3 else (1, 2, 5)
    ticks = [step * 10.0**power for power in range(int(low) - 1, int(high) + 2) for step in steps]
    return {"tickvals": ticks, "ticktext": [f"{each:,g}" for each in ticks], "range": [low - 0.15, high + 0.15]}


def interval(row: pd.Series, facts: Metric, value: float) -> dict[str, Any] | None:
    """The 95 % interval as an error bar, or None where there is none."""
    if not facts.low or pd.isna(row[facts.low]) or pd.isna(row[facts.high]):
        return None
    return {
        "type": "data",
        "symmetric": False,
        "array": [max(0.0, row[facts.high] * facts.unit_scale - value)],
        "arrayminus": [max(0.0, value - row[facts.low] * facts.unit_scale)],
        "thickness": 1.4,
        "width": 4,
    }


def bar(row: pd.Series, facts: Metric, position: int, value: float, theme: Theme, opacity: float) -> go.Bar:
    """One bar; a suspect one is hatched as well as amber."""
    shade = colour(row["family"], row["status"], row["baseline"], theme)
    pattern = {"shape": "/", "size": 6, "solidity": 0.35} if row["status"] == "suspect" else None
    return go.Bar(
        x=[value],
        y=[position + 0.1],
        width=0.32,
        orientation="h",
        marker={"color": shade, "pattern": pattern, "line": {"width": 0}, "cornerradius": 2},
        error_x=error_style(interval(row, facts, value), theme),
        opacity=opacity,
        customdata=[row["variant"]],
        hovertemplate=describe(row) + "<extra></extra>",
    )


def point(
    row: pd.Series,
    facts: Metric,
    position: int,
    value: float,
    theme: Theme,
    opacity: float,
    window: tuple[float, float] | None,
) -> go.Scatter:
    """One point with its interval; an open triangle when suspect, an arrow when off the axis."""
    suspect = row["status"] == "suspect"
    outside = window is not None and not window[0] <= value <= window[1]
    symbol = "triangle-left" if outside else "triangle-up-open" if suspect else "circle"
    error = None if outside else interval(row, facts, value)
    return go.Scatter(
        x=[min(max(value, window[0]), window[1]) if window else value],
        y=[position + 0.1],
        mode="markers",
        marker={
            "color": colour(row["family"], row["status"], row["baseline"], theme),
            "size": 12,
            "symbol": symbol,
            "line": {"width": 2 if suspect else 0},
        },
        error_x=error_style(error, theme),
        opacity=opacity,
        cliponaxis=False,
        customdata=[row["variant"]],
        hovertemplate=describe(row) + "<extra></extra>",
    )


def error_style(error: dict[str, Any] | None, theme: Theme) -> dict[str, Any] | None:
    """An error bar in the colour of the text."""
    return {**error, "color": TEXT[theme]} if error else None


def row_labels(
    row: pd.Series, facts: Metric, position: int, theme: Theme, *, pale: bool, bold: bool
) -> list[dict[str, Any]]:
    """The variant's name on the left and its figure, or its status in words, on the right."""
    suspect = row["status"] == "suspect"
    name = row["label"] if len(row["label"]) <= NAME_LENGTH else row["label"][: NAME_LENGTH - 1] + "…"
    name = escape(name)
    name = f"{name} · suspect" if suspect else f"<b>{name}</b>" if bold or row["baseline"] else name
    text, shade = figure_text(row, facts, theme)
    return [
        {
            "x": 0 if side == "left" else 1,
            "xref": "paper",
            "y": position - 0.32,
            "text": content,
            "showarrow": False,
            "xanchor": side,
            "yanchor": "middle",
            "font": {"size": 12.5, "color": tint},
            "opacity": 0.4 if pale else 1.0,
        }
        for side, content, tint in (("left", name, shade if suspect else TEXT[theme]), ("right", text, shade))
    ]


def figure_text(row: pd.Series, facts: Metric, theme: Theme) -> tuple[str, str]:
    """What stands at the right of a row, and its colour: the figure, or the status with its mark."""
    style = STATUSES[row["status"]]
    value = row[facts.name]
    if pd.notna(value):
        written = (facts.short or facts.write)(float(value))
        if row["status"] == "suspect":
            return f"{style.mark} {written}", WARNING_TEXT[theme]
        return f"<b>{written}</b>", TEXT[theme]
    if row["status"] in ("ok", "suspect"):
        return numbers.DASH, MUTED[theme]
    failed = row["status"] in ("failed", "oom", "timeout", "crashed")
    return f"{style.mark} {style.word}", BAD_TEXT[theme] if failed else MUTED[theme]
