"""Lines: throughput over batch sizes, latency call by call, and training curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import pandas as pd
import plotly.graph_objects as go

from engine.plots.axes import log_ticks, spans_widely
from engine.plots.colours import Theme, categorical, colour
from engine.plots.theme import template

DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
MARKERS = ("circle", "square", "diamond", "cross", "triangle-up", "x", "star", "triangle-down")
"""Lines of one colour differ by dash, all lines by marker, so that they can be told apart without colours."""


def throughput_chart(sweep: pd.DataFrame, *, theme: Theme = "light") -> go.Figure:
    """Draw throughput over batch sizes, one line for each variant; `sweep` as `frames.sweep` gives it."""
    figure = go.Figure()
    seen: dict[str, int] = {}
    lines = sweep[sweep["status"].isin(["ok", "suspect"])].groupby("variant", sort=False)
    for number, (variant, group) in enumerate(lines):
        first = group.iloc[0]
        suspect, label = first["status"] == "suspect", escape(str(first["label"]))
        shade = colour(first["family"], first["status"], bool(first["baseline"]), theme)
        dash = DASHES[seen.get(shade, 0) % len(DASHES)]
        seen[shade] = seen.get(shade, 0) + 1
        figure.add_trace(
            go.Scatter(
                x=group["batch_size"],
                y=group["throughput_per_s"],
                mode="lines+markers",
                name=f"⚠ {label} (suspect)" if suspect else label,
                line={"color": shade, "dash": dash, "width": 2},
                marker={"symbol": MARKERS[number % len(MARKERS)], "size": 8},
                customdata=[variant] * len(group),
                hovertemplate="<b>%{fullData.name}</b><br>Batch %{x}: %{y:,.3s} samples/s<extra></extra>",
            )
        )
    log = spans_widely(sweep["throughput_per_s"])
    sizes = sorted(sweep["batch_size"].unique())
    figure.update_layout(
        template=template(theme),
        height=400,
        margin={"l": 8, "r": 8, "t": 12, "b": 48},
        xaxis={
            "type": "log",
            "tickvals": sizes,
            "ticktext": [str(each) for each in sizes],
            "title": {"text": "Batch size"},
        },
        yaxis={
            "type": "log" if log else "linear",
            "rangemode": "tozero",
            **(log_ticks(sweep["throughput_per_s"]) if log else {}),
            "title": {"text": f"samples/s{', log scale' if log else ''} · higher is better"},
        },
        legend={"orientation": "v", "x": 1.01, "y": 1, "yanchor": "top"},
    )
    return figure


def calls_chart(rounds: Sequence[Sequence[int]], *, theme: Theme = "light") -> go.Figure:
    """Draw every timed call in order, one colour for each round, in ms: shows drift and outliers."""
    figure = go.Figure()
    palette = categorical(theme)
    start = 0
    for number, samples in enumerate(rounds):
        figure.add_trace(
            go.Scattergl(
                x=list(range(start, start + len(samples))),
                y=[each / 1e6 for each in samples],
                mode="markers",
                marker={"size": 4, "color": palette[number % 6], "opacity": 0.7},
                name=f"Round {number + 1}",
                hovertemplate="call %{x}: %{y:.3g} ms<extra></extra>",
            )
        )
        start += len(samples)
    figure.update_layout(
        template=template(theme),
        height=300,
        xaxis={"title": {"text": "Call, in the order they were timed"}},
        yaxis={"title": {"text": "ms · lower is better"}, "rangemode": "tozero"},
    )
    return figure


def training_chart(curves: Mapping[str, Sequence[float | None]], *, unit: str, theme: Theme = "light") -> go.Figure:
    """Draw training curves by name over epochs."""
    figure = go.Figure()
    for number, (name, values) in enumerate(curves.items()):
        line = {"color": categorical(theme)[number % 6], "width": 2}
        figure.add_trace(go.Scatter(y=list(values), mode="lines", name=name, line=line))
    figure.update_layout(
        template=template(theme), height=280, xaxis={"title": {"text": "Epoch"}}, yaxis={"title": {"text": unit}}
    )
    return figure
