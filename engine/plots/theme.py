"""The Plotly templates, light and dark: quiet axes, room, and one type size."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from engine.plots.colours import MUTED, RULE, SURFACE, TEXT, Theme, categorical

FONT = "Source Sans, 'Source Sans Pro', 'Source Sans 3', system-ui, -apple-system, 'Segoe UI', sans-serif"


@functools.cache
def template(theme: Theme) -> go.layout.Template:
    """The look shared by every chart; backgrounds are transparent so that the page shows through."""
    axis = {
        "gridcolor": RULE[theme],
        "linecolor": RULE[theme],
        "zerolinecolor": RULE[theme],
        "tickfont": {"size": 12, "color": MUTED[theme]},
        "title": {"font": {"size": 12, "color": MUTED[theme]}, "standoff": 8},
        "automargin": True,
    }
    return go.layout.Template(
        layout={
            "font": {"family": FONT, "size": 13, "color": TEXT[theme]},
            "title": {"font": {"size": 16, "color": TEXT[theme]}, "x": 0, "xref": "paper", "xanchor": "left"},
            "colorway": categorical(theme),
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "xaxis": axis,
            "yaxis": axis,
            "margin": {"l": 8, "r": 8, "t": 48, "b": 44},
            "hoverlabel": {
                "bgcolor": SURFACE[theme],
                "bordercolor": RULE[theme],
                "font": {"color": TEXT[theme], "size": 13, "family": FONT},
                "align": "left",
            },
            "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "font": {"size": 12}},
        }
    )


def figure(traces: Sequence[Any], layout: dict[str, Any]) -> go.Figure:
    """A figure from whole traces and a whole layout.

    Plotly would check each property of each annotation again, which takes most of the time; a test does that once.
    """
    return go.Figure(list(traces), layout, _validate=False)
