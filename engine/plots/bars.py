"""One metric of every variant as a horizontal chart; four of them stand side by side.

The variant's name stands above each bar and its figure beside it, so a chart can be read alone and at any
width. Bars start at zero. Where zero is far away (accuracy) or values span over 20× (log scale),
points take their place, because a bar's length would lie there.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from engine.metrics import METRICS, Metric, axis_of
from engine.plots.axes import axis_title, spans_widely, x_axis, zoom
from engine.plots.colours import TEXT, Theme, colour
from engine.plots.hover import describe
from engine.plots.labels import axis_note, row_labels
from engine.plots.theme import template

ROW_HEIGHT = 44
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
            "xaxis": x_axis(values, log=log, window=window),
            "annotations": [*annotations, axis_note(axis_title(facts, log=log, window=window), theme)],
        },
    )


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
