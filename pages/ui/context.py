"""The model and comparison in hand, and cached access to what is stored."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import streamlit as st

from engine import settings as engine_settings
from engine.analysis.speedup import compared
from engine.document import ComparisonDocument
from engine.errors import OptibenchError
from engine.frames import at_batch
from engine.settings import Settings
from engine.store import ComparisonRow, ModelRow, Store, VariantProgress, open_store

Subject = Literal["model", "comparison", "variant"]
SUBJECTS: tuple[Subject, ...] = ("model", "comparison", "variant")
PROBE_MAX_AGE_S = 24 * 3600


@st.cache_resource(show_spinner=False)
def settings() -> Settings:
    """The operator's settings, read once."""
    return engine_settings.load()


@st.cache_resource(show_spinner="Opening the database")
def store() -> Store:
    """The database, opened once for the whole server."""
    return open_store(settings())


def follow_url() -> None:
    """Take the model and comparison from the URL, or put those in hand there, so that links are complete."""
    for each in SUBJECTS:
        if each in st.query_params:
            st.session_state[f"chosen_{each}"] = st.query_params[each]
        elif st.session_state.get(f"chosen_{each}"):
            st.query_params[each] = st.session_state[f"chosen_{each}"]


def chosen(subject: Subject) -> str:
    """The id of the model, comparison or variant in hand, or nothing."""
    return str(st.session_state.get(f"chosen_{subject}", ""))


def choose(subject: Subject, id: str) -> None:
    """Take a model, comparison or variant in hand."""
    st.session_state[f"chosen_{subject}"] = id
    if id:
        st.query_params[subject] = id
    elif subject in st.query_params:
        del st.query_params[subject]


def model_in_hand() -> ModelRow | None:
    """The chosen model, or None when there is none or it was deleted."""
    try:
        return store().model(chosen("model")) if chosen("model") else None
    except OptibenchError:
        choose("model", "")
        return None


def comparison_in_hand() -> ComparisonRow | None:
    """The chosen comparison, or None when there is none or it was deleted."""
    try:
        return store().comparison(chosen("comparison")) if chosen("comparison") else None
    except OptibenchError:
        choose("comparison", "")
        return None


@st.cache_resource(max_entries=16, show_spinner=False)
def document_at(id: str, revision: int) -> ComparisonDocument:
    """A comparison's document at one revision of its results."""
    return store().document(id)


def document(row: ComparisonRow) -> ComparisonDocument:
    """A comparison's document as it is now."""
    return document_at(row.id, row.revision)


@st.cache_data(max_entries=32, show_spinner=False)
def frame_at(id: str, revision: int, latency: str, baseline: str, batch_size: int | None) -> pd.DataFrame:
    """A comparison's frame at one revision, for one latency and baseline, at one batch size or all."""
    found = compared(document_at(id, revision), latency, baseline, batch_size)
    return found if batch_size is None else at_batch(found, batch_size)


def frame(row: ComparisonRow, latency: str, baseline: str = "", batch_size: int | None = None) -> pd.DataFrame:
    """A comparison's frame as it is now, at one batch size or all."""
    return frame_at(row.id, row.revision, latency, baseline, batch_size)


@st.cache_resource(max_entries=16, show_spinner=False)
def progress_at(id: str, revision: int) -> list[VariantProgress]:
    """How far each variant of a comparison came that is no longer running."""
    return store().progress(id)


def probe_file() -> Path:
    """Where the last look at this machine is kept."""
    return settings().home / "probe.json"


def last_probe() -> dict[str, Any] | None:
    """What is known about this machine, or None when it is not known or was found out too long ago."""
    path = probe_file()
    if not path.exists() or time.time() - path.stat().st_mtime > PROBE_MAX_AGE_S:
        return None
    value: dict[str, Any] = json.loads(path.read_text())
    return value
