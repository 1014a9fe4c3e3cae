"""One metric of every variant as a horizontal chart; four of them stand side by side.

The variant's name stands above each bar and its figure beside it, so a chart can be read alone and at any
width. Bars start at zero. Where zero is far away (accuracy) or values span over 20× (log scale),
points take their place, because a bar's length would lie there.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from engine.metrics import METRICS, Metric, axis_of
from engine.plots.axes import axis_title, spans_widely, x_axis, zoom
from engine.plots.colours import TEXT, Theme, colour
from engine.plots.hover import describe
from engine.plots.labels import axis_note, names_of, row_labels
from engine.plots.theme import figure, template

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
    records = rows.assign(name=names_of(rows)).to_dict("records")
    annotations = [
        note
        for position, row in enumerate(records)
        for note in row_labels(
            row, facts, position, theme, pale=row["variant"] in faded, bold=row["variant"] == selected
        )
    ]
    hover = [f"{describe(row)}<extra></extra>" for row in records]
    drawn = rows.assign(value=values, position=range(len(rows)), hover=hover)[values.notna()]
    traces = [(dots if points else bars)(drawn, facts, theme, faded, window)] if len(drawn) else []
    return figure(
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


def intervals(drawn: pd.DataFrame, facts: Metric, theme: Theme, outside: pd.Series) -> dict[str, Any] | None:
    """The 95 % intervals as error bars in the colour of the text, or None where no row has one."""
    if not facts.low:
        return None
    known = drawn[facts.low].notna() & drawn[facts.high].notna() & ~outside
    if not known.any():
        return None
    above = (drawn[facts.high] * facts.unit_scale - drawn["value"]).clip(lower=0).where(known, 0)
    below = (drawn["value"] - drawn[facts.low] * facts.unit_scale).clip(lower=0).where(known, 0)
    return {
        "type": "data",
        "symmetric": False,
        "array": above.tolist(),
        "arrayminus": below.tolist(),
        "thickness": 1.4,
        "width": 4,
        "color": TEXT[theme],
    }


def marks(drawn: pd.DataFrame, theme: Theme, faded: Collection[str]) -> dict[str, Any]:
    """Colour and opacity of each row."""
    looks = zip(drawn["family"], drawn["status"], drawn["baseline"], strict=True)
    return {
        "color": [colour(family, status, bool(baseline), theme) for family, status, baseline in looks],
        "opacity": [FADED if each in faded else 1.0 for each in drawn["variant"]],
    }


def told(drawn: pd.DataFrame) -> dict[str, Any]:
    """What hovering says, and the variant's id for a click."""
    return {"customdata": drawn["variant"].tolist(), "hovertemplate": drawn["hover"].tolist()}


def bars(
    drawn: pd.DataFrame, facts: Metric, theme: Theme, faded: Collection[str], window: tuple[float, float] | None
) -> go.Bar:
    """A bar for each row; a suspect one is hatched as well as amber. All in one trace, which Plotly makes faster."""
    suspect = drawn["status"] == "suspect"
    pattern = {"shape": ["/" if each else "" for each in suspect], "size": 6, "solidity": 0.35}
    return go.Bar(
        x=drawn["value"].tolist(),
        y=(drawn["position"] + 0.1).tolist(),
        width=0.32,
        orientation="h",
        marker={**marks(drawn, theme, faded), "pattern": pattern, "line": {"width": 0}, "cornerradius": 2},
        error_x=intervals(drawn, facts, theme, drawn["value"].isna()),
        **told(drawn),
    )


def dots(
    drawn: pd.DataFrame, facts: Metric, theme: Theme, faded: Collection[str], window: tuple[float, float] | None
) -> go.Scatter:
    """A point for each row; an open triangle when suspect, an arrow when off the axis."""
    low, high = window or (-np.inf, np.inf)
    outside = (drawn["value"] < low) | (drawn["value"] > high)
    suspect = drawn["status"] == "suspect"
    look = marks(drawn, theme, faded)
    return go.Scatter(
        x=drawn["value"].clip(low, high).tolist(),
        y=(drawn["position"] + 0.1).tolist(),
        mode="markers",
        marker={
            **look,
            "size": 12,
            "symbol": [
                "triangle-left" if far else "triangle-up-open" if doubtful else "circle"
                for far, doubtful in zip(outside, suspect, strict=True)
            ],
            "line": {"width": [2 if each else 0 for each in suspect], "color": look["color"]},
        },
        error_x=intervals(drawn, facts, theme, outside),
        cliponaxis=False,
        **told(drawn),
    )
