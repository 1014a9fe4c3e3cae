"""What is written at each bar: the variant's name, and its figure or its status in words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from html import escape
from typing import Any

import pandas as pd

from engine.analysis import numbers
from engine.metrics import Metric
from engine.plots.colours import BAD_TEXT, MUTED, STATUSES, TEXT, WARNING_TEXT, Theme
from engine.plots.hover import Row

NAME_LENGTH = 38
SEPARATOR = " · "
MORE = "…"
SUSPECT = "Suspect: "
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
    name = f"{SUSPECT}{name}" if suspect else f"<b>{name}</b>" if bold or row["baseline"] else name
    text, shade = figure_text(row, facts, theme)
    quiet = MUTED[theme] if pale else ""
    empty = pd.isna(row[facts.name])
    shaky = bool(row["unstable"]) and facts.name in TIMED and not empty
    return [
        note(name, quiet or (shade if suspect else TEXT[theme]), position - 0.32, right=False),
        note(text, quiet or shade, position + 0.1, right=not empty),
        *([note("unstable", quiet or WARNING_TEXT[theme], position + 0.42, right=True)] if shaky else []),
    ]


def names_of(rows: pd.DataFrame) -> list[str]:
    """The names above the bars, shorter where a word stands before them."""
    lengths = [NAME_LENGTH - len(SUSPECT) * (status == "suspect") for status in rows["status"]]
    return fitting(list(rows["label"]), lengths)


def fitting(labels: Sequence[str], lengths: Sequence[int] = ()) -> list[str]:
    """The labels, short enough for a narrow chart and still told apart; `lengths` has the room of each.

    A long one loses its options in brackets where no other is then called the same, then the parts
    that it shares with most others, and where that makes two alike, its middle.
    """
    room = list(lengths) or [NAME_LENGTH] * len(labels)
    bare = [BRACKETS.sub("", each) for each in labels]
    counts = Counter(bare)
    shorter = [
        plain if len(each) > length and counts[plain] == 1 else each
        for each, plain, length in zip(labels, bare, room, strict=True)
    ]
    names = without_common(shorter, room)
    for twice in [name for name, count in Counter(names).items() if count > 1]:
        group = [at for at, name in enumerate(names) if name == twice]
        apart = without_common([shorter[at] for at in group], [room[at] for at in group])
        names = [apart[group.index(at)] if at in group else name for at, name in enumerate(names)]
    for more in (0, *MORE_HEAD):
        alike = {name for name, count in Counter(names).items() if count > 1}
        names = [
            without_middle(each, length, more) if name in alike else name
            for each, name, length in zip(shorter, names, room, strict=True)
        ]
    return names


def without_common(labels: Sequence[str], room: Sequence[int]) -> list[str]:
    """The labels, longer ones without the parts that at least half of them have, then without their last parts."""
    counts = Counter(part for each in labels for part in each.split(SEPARATOR))
    common = {part for part, count in counts.items() if 2 * count >= max(len(labels), 2)}
    return [without_parts(each, common, length) for each, length in zip(labels, room, strict=True)]


def without_parts(label: str, common: Collection[str], length: int) -> str:
    """A label of at most `length`, without common parts, then without its last ones; an ellipsis says so."""
    if len(label) <= length:
        return label
    parts = label.split(SEPARATOR)
    while len(parts) > 2 and len(SEPARATOR.join([*parts, MORE])) > length:
        parts.pop(max(range(1, len(parts)), key=lambda at: (parts[at] in common, at)))
    found = SEPARATOR.join([*parts, MORE])
    return found if len(found) <= length else without_middle(label, length)


def without_middle(label: str, length: int = NAME_LENGTH, more: int = 0) -> str:
    """A label of at most `length`: the runtime's name, `more` of what follows, and as much as fits of the end."""
    if len(label) <= length:
        return label
    runtime, separator, _ = label.partition(SEPARATOR)
    return elided(label, min(len(runtime + separator), LONGEST_HEAD) + more, length)


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
