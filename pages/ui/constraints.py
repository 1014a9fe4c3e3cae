"""What a variant has to meet, as sliders that are kept in the URL."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from engine.analysis.choice import Constraints
from engine.metrics import METRICS

NO_LIMIT = "No limit"
LIMITS = {"latency_ms": "max_latency", "accuracy": "min_accuracy", "file_bytes": "max_size"}


def constraints(rows: pd.DataFrame) -> Constraints:
    """Limits chosen from the values that occur, kept in the URL; each step of a slider excludes one more variant."""
    linked = any(name in st.query_params for name in LIMITS.values())
    with st.expander("Constraints: what a variant has to meet", expanded=linked, icon=":material/filter_alt:"):
        first, second, third = st.columns(3, gap="large")
        with first:
            latency = limit("Latency at most", rows, "latency_ms")
        with second:
            name = "Agreement at least" if (rows["accuracy_kind"] == "agreement").any() else "Accuracy at least"
            accuracy = limit(name, rows, "accuracy")
        with third:
            size = limit("File size at most", rows, "file_bytes")
    return Constraints(latency, accuracy, size)


def limit(label: str, rows: pd.DataFrame, metric: str) -> float | None:
    """One slider over the values that occur, from no limit to the strictest."""
    known = sorted(rows[metric].dropna().unique(), reverse=METRICS[metric].better == "lower")
    if len(known) < 2:
        st.caption(f"{label}: nothing to choose between.")
        return None
    written = {METRICS[metric].write(float(each)): float(each) for each in known}
    picked = st.select_slider(label, [NO_LIMIT, *written], key=LIMITS[metric], bind="query-params")
    return written.get(str(picked))
