"""A chart in words, for those who can't see it."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from engine.analysis import numbers
from engine.metrics import METRICS
from engine.plots.colours import STATUSES


def in_words(rows: pd.DataFrame, metric: str, title: str = "") -> str:
    """Every variant that a chart shows with its figure, from top to bottom, as one sentence."""
    facts = METRICS[metric]
    looks = zip(rows["label"], rows["status"], rows[metric], strict=True)
    said = [f"{label} {said_of(status, value, metric)}" for label, status, value in looks]
    return f"{title or facts.title}, {facts.better} is better: {'; '.join(said)}."


def said_of(status: str, value: float, metric: str) -> str:
    """The figure, and the status where it is not a good one."""
    style = STATUSES[status]
    if pd.isna(value):
        return "unknown" if status == "ok" else style.word.lower()
    written = METRICS[metric].write(float(value))
    return f"{written} (suspect)" if status == "suspect" else written


def layers_in_words(layers: pd.DataFrame, most: int = 5) -> str:
    """The layers that take longest, and what is left, as one sentence."""
    ordered = layers.sort_values("time_ms", ascending=False)
    said = [f"{name} {numbers.duration(ms)}" for name, ms in zip(ordered["name"], ordered["time_ms"], strict=True)]
    rest = f"; {len(said) - most} more" if len(said) > most else ""
    return f"Time per layer, longest first: {'; '.join(said[:most])}{rest}."


def sweep_in_words(sweep: pd.DataFrame) -> str:
    """The highest throughput of each variant and the batch size that gave it, as one sentence."""
    good = sweep[sweep["throughput_per_s"].notna()]
    best = good.loc[good.groupby("variant", sort=False)["throughput_per_s"].idxmax()]
    said = [
        f"{label} {numbers.rate(rate)} at batch {size}{' (suspect)' if status == 'suspect' else ''}"
        for label, rate, size, status in zip(
            best["label"], best["throughput_per_s"], best["batch_size"], best["status"], strict=True
        )
    ]
    return f"Highest throughput, higher is better: {'; '.join(said)}."


def calls_in_words(rounds: Sequence[Sequence[int]]) -> str:
    """How many calls were timed, the fastest, the median and the slowest; `rounds` in nanoseconds."""
    calls = sorted(each / 1e6 for samples in rounds for each in samples)
    fastest, median, slowest = (numbers.duration(calls[at]) for at in (0, len(calls) // 2, -1))
    return f"{len(calls):,} timed calls: the fastest {fastest}, half of them up to {median}, the slowest {slowest}."
