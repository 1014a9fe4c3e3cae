"""What is written at each bar: the variant's name, and its figure or its status in words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from html import escape
from typing import Any

import pandas as pd

from engine.analysis import numbers
from engine.metrics import Metric
from engine.plots.colours import BAD_TEXT, MUTED, STATUSES, TEXT, WARNING_TEXT, Theme
from engine.plots.hover import Row

NAME_LENGTH = 36
LONGEST_HEAD = 20
MORE_HEAD = (4, 8, 12)
BRACKETS = re.compile(r" \([^()]*\)")
TIMED = ("latency_ms", "throughput_per_s")


def row_labels(row: Row, facts: Metric, position: int, theme: Theme, *, pale: bool, bold: bool) -> list[dict[str, Any]]:
    """The variant's `name` above its bar; at the bar's height its figure, or its status in words.

    What is pale stays readable: its text is grey, not transparent.
    """
    suspect = row["status"] == "suspect"
    name = escape(row["name"])
    name = f"Suspect: {name}" if suspect else f"<b>{name}</b>" if bold or row["baseline"] else name
    text, shade = figure_text(row, facts, theme)
    quiet = MUTED[theme] if pale else ""
    empty = pd.isna(row[facts.name])
    shaky = bool(row["unstable"]) and facts.name in TIMED and not empty
    return [
        note(name, quiet or (shade if suspect else TEXT[theme]), position - 0.32, right=False),
        note(text, quiet or shade, position + 0.1, right=not empty),
        *([note("unstable", quiet or WARNING_TEXT[theme], position + 0.42, right=True)] if shaky else []),
    ]


def fitting(labels: Sequence[str]) -> list[str]:
    """The labels, short enough for a narrow chart and still told apart.

    A long one loses its options in brackets where no other is then called the same, and then its
    middle: runtimes stand at the beginning, and what differs most often at the end.
    """
    bare = [BRACKETS.sub("", each) for each in labels]
    counts = Counter(bare)
    shorter = [
        plain if len(each) > NAME_LENGTH and counts[plain] == 1 else each
        for each, plain in zip(labels, bare, strict=True)
    ]
    names = [without_middle(each) for each in shorter]
    for more in MORE_HEAD:
        alike = {name for name, count in Counter(names).items() if count > 1}
        names = [
            without_middle(each, more) if name in alike else name for each, name in zip(shorter, names, strict=True)
        ]
    return names


def without_middle(label: str, more: int = 0) -> str:
    """At most NAME_LENGTH characters: the runtime's name, `more` of what follows, and as much as fits of the end."""
    if len(label) <= NAME_LENGTH:
        return label
    runtime, separator, _ = label.partition(" · ")
    return elided(label, min(len(runtime + separator), LONGEST_HEAD) + more, NAME_LENGTH)


def elided(text: str, head: int, length: int) -> str:
    """The first `head` characters of a longer text, and as much of its end as fits into `length`."""
    return f"{text[:head]}…{text[head + 1 - length :]}"


def note(text: str, colour: str, y: float, *, right: bool) -> dict[str, Any]:
    """One piece of text at the left or right end of a row."""
    return {
        "x": 1 if right else 0,
        "xref": "paper",
        "xanchor": "right" if right else "left",
        "y": y,
        "yanchor": "middle",
        "text": text,
        "showarrow": False,
        "font": {"size": 12.5, "color": colour},
    }


def axis_note(text: str, theme: Theme) -> dict[str, Any]:
    """The axis title, from the left edge on, because it may be wider than the axis."""
    return {
        "name": "axis",
        "x": 0,
        "xref": "paper",
        "xanchor": "left",
        "y": 0,
        "yref": "paper",
        "yanchor": "top",
        "yshift": -22,
        "text": text,
        "showarrow": False,
        "font": {"size": 11.5, "color": MUTED[theme]},
    }


def figure_text(row: Row, facts: Metric, theme: Theme) -> tuple[str, str]:
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
