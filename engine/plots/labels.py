"""The line above each bar: the variant's name, and its figure or its status in words."""

from __future__ import annotations

from html import escape
from typing import Any

import pandas as pd

from engine.analysis import numbers
from engine.metrics import Metric
from engine.plots.colours import BAD_TEXT, MUTED, STATUSES, TEXT, WARNING_TEXT, Theme

NAME_LENGTH = 32


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
