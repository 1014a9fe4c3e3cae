"""The table of the Compare page, and the variant in hand below it."""

from __future__ import annotations

import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from engine.analysis import numbers
from engine.frames import plain_words
from pages.ui import badges
from pages.ui.context import choose, chosen


def table(rows: pd.DataFrame, comparison: str) -> None:
    """Every variant with its status; a selected row is the variant in hand."""
    shown = pd.DataFrame(
        {
            "Variant": rows["label"],
            "Status": rows["status"].map(badges.status_text),
            "Latency (ms)": rows["latency_ms"],
            "Interval": [interval(row) for _, row in rows.iterrows()],
            "Speed-up": [speedup(row) for _, row in rows.iterrows()],
            "At the same precision": [plain_words(row) for _, row in rows.iterrows()],
            "p90 (ms)": rows["latency_p90"],
            "p99 (ms)": rows["latency_p99"],
            "Throughput (samples/s)": rows["throughput_per_s"],
            "File (MB)": rows["file_bytes"] / 1e6,
            "Accuracy": rows["accuracy"] * 100,
            "Outputs": [outputs(row) for _, row in rows.iterrows()],
            "Device memory (MB)": rows["device_memory_bytes"] / 1e6,
            "Energy (mJ/sample)": rows["sample_energy_j"] * 1e3,
            "Power (W)": rows["power_w"],
            "Build (s)": rows["build_s"],
            "Load (s)": rows["load_s"],
            "Precision": rows["precision"].str.upper(),
            "Note": [note(row) for _, row in rows.iterrows()],
            "Route": rows["route"],
        }
    )
    if rows["power_w"].isna().all():  # only an NVIDIA GPU tells
        shown = shown.drop(columns=["Energy (mJ/sample)", "Power (W)"])
    event = st.dataframe(
        shown,
        hide_index=True,
        placeholder=numbers.DASH,
        key=f"table_{comparison}",
        on_select="rerun",
        selection_mode="single-row",
        column_config={name: column(name) for name in shown.columns},
        alt="Every variant with status, latency, speed-up, throughput, size, accuracy and notes",
    )
    picked = event.selection.rows
    last = st.session_state.get("table_pick")
    if picked and picked != last and rows.iloc[picked[0]]["variant"] != chosen("variant"):
        st.session_state.table_pick = picked
        choose("variant", str(rows.iloc[picked[0]]["variant"]))
        st.rerun()
    st.session_state.table_pick = picked


def column(name: str) -> ColumnConfig:
    """How one column of the table is drawn."""
    if "(ms)" in name or "(s)" in name:
        return st.column_config.NumberColumn(format="%.3g")
    if "(MB)" in name or name in ("Energy (mJ/sample)", "Power (W)"):
        return st.column_config.NumberColumn(format="%.3g")
    if "samples/s" in name:
        return st.column_config.NumberColumn(format="%.0f")
    if name == "Accuracy":
        return st.column_config.NumberColumn("Accuracy (% of samples)", format="%.2f")
    if name == "Variant":
        return st.column_config.TextColumn(pinned=True)
    return st.column_config.TextColumn(width="large" if name in ("Note", "Route") else None)


def interval(row: pd.Series) -> str:
    """The 95 % interval in ms, or why there is none."""
    if pd.isna(row["latency_ms"]):
        return ""
    if pd.isna(row["latency_low"]):
        return "one round"
    return f"{numbers.significant(row['latency_low'])}–{numbers.significant(row['latency_high'])}"


def speedup(row: pd.Series) -> str:
    """The ratio to the baseline in words."""
    if row["baseline"]:
        return "baseline"
    words = numbers.ratio(row["speedup"], row["speedup_low"], row["speedup_high"], different=row["different"])
    return f"{words}, unstable" if words and row["unstable"] else words


def outputs(row: pd.Series) -> str:
    """The verdict on the outputs in a few words."""
    if not row["parity"]:
        return ""
    error = f" ({row['relative_l2']:.1e})" if pd.notna(row["relative_l2"]) else ""
    weak = ", weak evidence" if row["evidence"] == "random" else ""
    words = {"passed": "same", "failed": "differ", "no evidence": "no evidence"}
    return f"{words[row['parity']]}{error}{weak}"


def note(row: pd.Series) -> str:
    """Reason, hint and instability in one line."""
    unstable = f"Unstable: {row['unstable']}" if row["unstable"] else ""
    return " ".join(each for each in (row["reason"], row["hint"], unstable) if each)


def selected_variant(row: pd.Series) -> None:
    """A line about the variant in hand, and the way to its story."""
    with st.container(horizontal=True, vertical_alignment="center", border=True):
        badges.status(row["status"])
        st.markdown(f"**{badges.plain(row['label'])}** {badges.plain(note(row))}")
        st.page_link(
            "pages/explain.py",
            label="Explain this variant",
            icon=":material/arrow_forward:",
            query_params={"variant": row["variant"]},
        )
