"""Which variants a bar chart draws where there are too many for it; the table always has all of them."""

from __future__ import annotations

import pandas as pd

from engine.plots.colours import STATUSES

MOST = 12
MOST_SUSPECT = 4
"""Rows of a chart, and how many of them suspects may take."""


def foremost(rows: pd.DataFrame, selected: str = "") -> pd.DataFrame:
    """The rows that a chart shows: all of them, or the baseline, the first ones, the suspects and the selected one.

    `rows` holds one batch size, best first, as `frames.sort` gives it. Where there are more than `MOST`,
    what gave no figures is left to the table.
    """
    if len(rows) <= MOST:
        return rows
    suspect = rows["status"] == "suspect"
    always = rows["baseline"].astype(bool) | (suspect & (suspect.cumsum() <= MOST_SUSPECT))
    always |= rows["variant"] == selected
    others = ~always & ~suspect & rows["latency_ms"].notna()
    return rows[always | (others & (others.cumsum() <= max(1, MOST - int(always.sum()))))]


def left_out(rows: pd.DataFrame, drawn: pd.DataFrame) -> str:
    """What is not drawn, in one sentence, or nothing."""
    rest = rows[~rows["variant"].isin(drawn["variant"])]
    if rest.empty:
        return ""
    measured = rest["latency_ms"].notna()
    further, doubtful = int((measured & (rest["status"] != "suspect")).sum()), int((rest["status"] == "suspect").sum())
    silent = rest.loc[~measured & (rest["status"] != "suspect"), "status"].value_counts()
    parts = [
        f"{further} further down" if further else "",
        f"{doubtful} more suspect" if doubtful else "",
        *(f"{number} {STATUSES[str(status)].word.lower()}" for status, number in silent.items()),
    ]
    return f"{len(drawn)} of {len(rows)} variants are drawn. In the table only: {', '.join(filter(None, parts))}."
