"""Comparisons recorded on real machines and shipped with Optibench."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from engine import document as documents
from engine.errors import BadInput
from engine.frames import machine
from pages.ui.context import store

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@dataclass(frozen=True)
class Recording:
    """One recorded comparison: what it is about, without its figures."""

    path: Path
    name: str
    model: str
    machine: str
    date: str
    variants: int
    batch_sizes: tuple[int, ...]


@st.cache_data(show_spinner="Reading the recorded results")
def read(path: str, modified: float) -> Recording | None:
    """What one file is about, or None when it is not a comparison of this version."""
    try:
        found = documents.read(Path(path))
    except BadInput:
        return None
    date = (found.finished or found.created)[:10]
    return Recording(
        Path(path), found.name, found.model.name, machine(found), date, len(found.variants), found.workload.batch_sizes
    )


def recordings() -> list[Recording]:
    """Every recorded comparison, by name, machine and date."""
    files = sorted([*FOLDER.rglob("*.json"), *FOLDER.rglob("*.json.gz")])
    found = [read(str(each), each.stat().st_mtime) for each in files]
    return sorted(
        (each for each in found if each is not None), key=lambda each: (each.name.lower(), each.machine, each.date)
    )


def open_recording(recording: Recording) -> str:
    """Import a recorded comparison once; returns its id."""
    found = documents.read(recording.path)
    for row in store().comparisons():
        if row.origin == "recorded" and row.name == found.name and store().document(row.id).created == found.created:
            return row.id
    return store().import_document(found, origin="recorded")
