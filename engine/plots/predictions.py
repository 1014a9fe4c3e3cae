"""The likeliest classes of one answer as a small chart."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from engine.plots.colours import TEXT, Theme
from engine.plots.theme import template

ROW_HEIGHT = 34
LONGEST_NAME = 28


def predictions_chart(
    names: Sequence[str], probabilities: Sequence[float], shade: str, *, theme: Theme = "light"
) -> go.Figure:
    """Draw probabilities (0 to 1), one bar for each class from top to bottom, each with its figure."""
    shown = [each if len(each) <= LONGEST_NAME else f"{each[: LONGEST_NAME - 1]}…" for each in names]
    places = list(range(len(names)))
    bars = go.Bar(
        x=[100 * each for each in probabilities],
        y=places,
        orientation="h",
        marker={"color": shade, "cornerradius": 2},
        text=[percent(each) for each in probabilities],
        textposition="outside",
        textfont={"color": TEXT[theme]},
        cliponaxis=False,
        customdata=list(names),
        hovertemplate="%{customdata}: %{x:.2f}%<extra></extra>",
    )
    return go.Figure(
        [bars],
        {
            "template": template(theme),
            "height": 56 + ROW_HEIGHT * len(names),
            "showlegend": False,
            "bargap": 0.35,
            "margin": {"l": 4, "r": 10, "t": 6, "b": 36},
            "yaxis": {
                "tickvals": places,
                "ticktext": shown,
                "range": [len(names) - 0.5, -0.5],
                "fixedrange": True,
                "showgrid": False,
                "ticklabelstandoff": 4,
                "tickfont": {"color": TEXT[theme]},
            },
            "xaxis": {
                "range": [0, 118],
                "tickvals": [0, 50, 100],
                "fixedrange": True,
                "title": {"text": "Probability (%)"},
            },
        },
    )


def percent(value: float) -> str:
    """A probability with three digits at most."""
    return "< 0.1%" if 0 < value < 0.001 else f"{100 * value:.3g}%"
