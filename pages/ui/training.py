"""Training curves: live from a phase's events, afterwards from what the step kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from engine.plots import training_chart
from engine.worker.protocol import read_events
from pages.ui import charts


def live(folder: Path) -> list[dict[str, Any]]:
    """The points of the curve that a running or finished phase reported, one an epoch."""
    return [event.data["curve"] for event in read_events(folder) if isinstance(event.data.get("curve"), dict)]


def draw(points: Sequence[Mapping[str, Any]], key: str) -> None:
    """Loss and accuracy over epochs, side by side; a figure that no epoch has is left out."""
    losses = {name: values(points, name) for name in names(points) if "loss" in name}
    accuracies = {name: values(points, name) for name in names(points) if "accuracy" in name}
    shown = [
        (curves, unit)
        for curves, unit in ((losses, "Loss · lower is better"), (accuracies, "Accuracy · higher is better"))
        if curves
    ]
    if not shown:
        return
    grid = st.grid(len(shown), min_column_width=280)
    for curves, unit in shown:
        titles = {name.replace("_", " ").capitalize(): each for name, each in curves.items()}
        with grid.cell():
            charts.show(training_chart(titles, unit=unit, theme=charts.theme()), key=f"{key}_{unit[:4]}", alt=unit)


def names(points: Sequence[Mapping[str, Any]]) -> list[str]:
    """The figures that at least one epoch has."""
    found = [name for point in points for name, value in point.items() if isinstance(value, int | float)]
    return list(dict.fromkeys(found))


def values(points: Sequence[Mapping[str, Any]], name: str) -> list[float | None]:
    """One figure epoch by epoch; a gap where an epoch lacks it."""
    return [point.get(name) for point in points]
