"""Statuses and small facts, always with an icon and a word."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from engine.plots.colours import STATUSES


def status(name: str) -> None:
    """A status as a badge."""
    style = STATUSES[name]
    st.badge(style.word, icon=style.icon, color=style.badge)


def status_text(name: str) -> str:
    """A status for a table cell: mark and word."""
    style = STATUSES[name]
    return f"{style.mark} {style.word}"


def state_badge(state: str) -> None:
    """The state of a whole comparison."""
    icons = {"queued": "schedule", "running": "play_circle", "finished": "check_circle", "cancelled": "cancel"}
    colours = {"queued": "gray", "running": "blue", "finished": "green", "cancelled": "gray"}
    st.badge(state.capitalize(), icon=f":material/{icons[state]}:", color=colours[state])  # type: ignore[arg-type]


def origin_badge(origin: str, when: str = "") -> None:
    """Where a comparison's figures come from, where they are not this machine's."""
    if origin == "recorded":
        st.badge(
            f"Recorded {when}".strip(),
            icon=":material/inventory_2:",
            color="violet",
            help="Measured on another machine and shipped with Optibench.",
        )
    elif origin == "imported":
        st.badge(
            f"Imported {when}".strip(), icon=":material/upload:", color="violet", help="Measured on another machine."
        )


def distinct(labels: Mapping[str, str]) -> dict[str, str]:
    """Labels by id, told apart by a number where they are the same.

    A list finds its choice again by its label, so two equal ones would be one.
    """
    seen: dict[str, int] = {}
    found = {}
    for id, label in labels.items():
        seen[label] = seen.get(label, 0) + 1
        found[id] = label if seen[label] == 1 else f"{label} ({seen[label]})"
    return found


def plain(text: str) -> str:
    """Text from files and libraries, kept from being read as Markdown."""
    for character in "\\`*_[]$<>#~:|":
        text = text.replace(character, f"\\{character}")
    return text
