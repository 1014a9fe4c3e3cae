"""One row for each variant and batch size, for a spreadsheet; units are in the column names."""

from __future__ import annotations

import pandas as pd

from engine.analysis.speedup import compared
from engine.document import ComparisonDocument
from engine.frames import latencies

TITLE, SUFFIX, MIME = "CSV", ".csv", "text/csv"
LATENCY_COLUMNS = [
    "latency_ms", "latency_low", "latency_high", "latency_p90", "latency_p99", "latency_count", "rounds",
    "variation", "enqueue_ms", "speedup", "speedup_low", "speedup_high", "different",
    "plain_speedup", "plain_low", "plain_high", "plain_different", "plain_against",
]  # fmt: skip


def render(document: ComparisonDocument) -> str:
    """Both latencies side by side, each column prefixed with which one it is."""
    kinds = latencies(document) or ["resident"]
    frames = {kind: compared(document, kind) for kind in kinds}
    shared = next(iter(frames.values())).drop(columns=[*LATENCY_COLUMNS, "order"])
    parts = [frame[LATENCY_COLUMNS].add_prefix(f"{kind}_") for kind, frame in frames.items()]
    table = pd.concat([shared, *parts], axis=1)
    for column in table.select_dtypes(include=["object", "str"]):
        table[column] = table[column].map(harmless)
    text: str = table.to_csv(index=False)
    return text


def harmless(value: object) -> object:
    """Text that a spreadsheet would take for a formula, made plain."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value
