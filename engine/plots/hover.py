"""What hovering over a variant says: median, interval, count, batch, precision, parity."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

import pandas as pd

from engine.analysis import numbers

Row = Mapping[Any, Any]
"""One row of a frame, as `to_dict("records")` gives it: reading it is many times faster than a Series."""


def describe(row: Row) -> str:
    """A few lines about one result, as Plotly's HTML subset."""
    lines = [f"<b>{html.escape(str(row['label']))}</b>", html.escape(str(row["route"]))]
    if pd.notna(row["latency_ms"]):
        lines.append(f"Latency {numbers.duration(row['latency_ms'])}{interval(row)}, {calls(row)}")
    if pd.notna(row["throughput_per_s"]):
        mode = f" ({row['throughput_mode']})" if row["throughput_mode"] else ""
        lines.append(f"Throughput {numbers.rate(row['throughput_per_s'])}{mode}")
    if pd.notna(row["file_bytes"]):
        lines.append(f"File {numbers.size(row['file_bytes'])}")
    if pd.notna(row["accuracy"]):
        name = "Agreement with the original" if row["accuracy_kind"] == "agreement" else "Accuracy"
        lines.append(f"{name} {numbers.percent(row['accuracy'])} of {int(row['accuracy_samples']):,} samples")
    lines.append(f"Batch {int(row['batch_size'])} · {str(row['precision']).upper() or 'unknown precision'}")
    lines.append(parity(row))
    if row["unstable"]:
        lines.append(f"Unstable: {html.escape(str(row['unstable']))}")
    return "<br>".join(lines)


def interval(row: Row) -> str:
    """The 95 % interval in ms, or that there is none."""
    if pd.isna(row["latency_low"]) or pd.isna(row["latency_high"]):
        return " (one round, no interval)"
    low, high = numbers.significant(row["latency_low"]), numbers.significant(row["latency_high"])
    return f" (95% interval {low}–{high})"


def calls(row: Row) -> str:
    """How many calls the median was made from."""
    return f"{int(row['latency_count']):,} calls" if pd.notna(row["latency_count"]) else "unknown number of calls"


def parity(row: Row) -> str:
    """The verdict on the outputs in one line."""
    if not row["parity"]:
        return "Outputs not compared"
    if row["parity"] == "no evidence":
        return "Outputs say nothing: the reference is constant or nearly zero"
    verdict = "Same outputs" if row["parity"] == "passed" else "Outputs differ"
    error = f", relative error {numbers.significant(row['relative_l2'], 2)}" if pd.notna(row["relative_l2"]) else ""
    weak = ", weak evidence (random inputs)" if row["evidence"] == "random" else ""
    return f"{verdict}{error}{weak}"
