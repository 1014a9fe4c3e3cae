"""Where the time of one variant goes: the longest layers or kernels of its profile."""

from __future__ import annotations

from html import escape

import pandas as pd
import plotly.graph_objects as go

from engine.analysis import numbers
from engine.plots.colours import MUTED, TEXT, Theme, colour
from engine.plots.labels import elided
from engine.plots.theme import template

SHOWN = 15
NAME_LENGTH = 60


def layer_chart(layers: pd.DataFrame, *, family: str, theme: Theme = "light", shown: int = SHOWN) -> go.Figure:
    """Draw time per layer, longest first; `layers` has `name` and `time_ms`, and may have `kind`.

    What does not fit is summed up in a last bar, so that the bars add up to the whole.
    """
    ordered = layers.sort_values("time_ms", ascending=False)
    total = float(ordered["time_ms"].sum())
    top = ordered.head(shown)
    names = [shorten(str(each)) for each in top["name"]]
    values = [float(each) for each in top["time_ms"]]
    shades = [colour(family, "ok", False, theme)] * len(top)
    if len(ordered) > shown:
        names.append(f"{len(ordered) - shown} more")
        values.append(total - sum(values))
        shades.append(MUTED[theme])
    figure = go.Figure(
        go.Bar(
            x=values,
            y=list(range(len(values))),
            orientation="h",
            marker={"color": shades, "cornerradius": 2},
            width=0.36,
            customdata=names,
            hovertemplate="<b>%{customdata}</b><br>%{x:.3g} ms<extra></extra>",
        )
    )
    annotations = [
        {
            "x": 0 if side == "left" else 1,
            "xref": "paper",
            "y": position - 0.38,
            "text": text,
            "showarrow": False,
            "xanchor": side,
            "font": {"size": 12, "color": TEXT[theme]},
        }
        for position, (name, value) in enumerate(zip(names, values, strict=True))
        for side, text in (("left", escape(name)), ("right", share(value, total)))
    ]
    figure.update_layout(
        template=template(theme),
        height=80 + 36 * len(values),
        yaxis={"visible": False, "range": [len(values) - 0.5, -0.9], "fixedrange": True},
        xaxis={"title": {"text": f"ms of {numbers.duration(total)} in all"}, "rangemode": "tozero", "fixedrange": True},
        margin={"l": 4, "r": 10, "t": 12, "b": 48},
        annotations=annotations,
    )
    return figure


def share(value: float, total: float) -> str:
    """A time and its part of the whole."""
    return f"{numbers.duration(value)} · {numbers.percent(value / total, 2) if total else numbers.DASH}"


def shorten(name: str) -> str:
    """A layer's name with its middle left out when it is long."""
    if len(name) <= NAME_LENGTH:
        return name
    half = NAME_LENGTH // 2 - 1
    return elided(name, half, 2 * half + 1)
