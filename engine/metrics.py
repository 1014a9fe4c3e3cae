"""The figures of a comparison: their names, units and directions, in one place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from engine.analysis import numbers

LATENCIES = {
    "resident": "Device-resident",
    "end_to_end": "End-to-end",
}
LATENCY_HELP = {
    "resident": "Inputs and outputs stay on the device: the time of the model alone.",
    "end_to_end": "Copy inputs in, compute, copy outputs out: what a request waits for.",
}


@dataclass(frozen=True)
class Metric:
    """One figure of the comparison: its columns, name, unit, direction and how it is written.

    `short` is how it is written beside a bar, where the axis gives the unit.
    """

    name: str
    title: str
    axis: str
    better: Literal["lower", "higher"]
    write: Callable[[float | None], str]
    unit_scale: float = 1.0
    short: Callable[[float | None], str] | None = None
    low: str = ""
    high: str = ""


METRICS: dict[str, Metric] = {
    "file_bytes": Metric("file_bytes", "Size", "{unit} on disk", "lower", numbers.size, 1e-6),
    "compressed_bytes": Metric("compressed_bytes", "Compressed size", "{unit} compressed", "lower", numbers.size, 1e-6),
    "parameter_bytes": Metric("parameter_bytes", "Parameters", "{unit} of parameters", "lower", numbers.size, 1e-6),
    "nonzero_bytes": Metric("nonzero_bytes", "Non-zero", "{unit} of non-zero parameters", "lower", numbers.size, 1e-6),
    "device_memory_bytes": Metric(
        "device_memory_bytes", "Device memory", "{unit} at run time", "lower", numbers.size, 1e-6
    ),
    "host_memory_bytes": Metric("host_memory_bytes", "Host memory", "{unit} at run time", "lower", numbers.size, 1e-6),
    "accuracy": Metric(
        "accuracy", "Accuracy", "% of samples", "higher", numbers.percent, 100.0, None, "accuracy_low", "accuracy_high"
    ),
    "relative_l2": Metric("relative_l2", "Error against the original", "relative L2", "lower", numbers.error),
    "latency_ms": Metric(
        "latency_ms", "Latency", "ms, median", "lower", numbers.duration, 1.0, None, "latency_low", "latency_high"
    ),
    "throughput_per_s": Metric(
        "throughput_per_s", "Throughput", "samples/s", "higher", numbers.rate, 1.0, numbers.short_rate
    ),
}


def title_of(rows: pd.DataFrame, metric: str) -> str:
    """The title of a metric's chart; agreement with the original is never called accuracy."""
    agreement = metric == "accuracy" and bool((rows["accuracy_kind"] == "agreement").any())
    return "Agreement with the original" if agreement else METRICS[metric].title


def axis_of(metric: Metric, values: pd.Series) -> tuple[float, str]:
    """What to multiply a metric by for its axis, and the unit to write there; sizes in KB, MB or GB."""
    if "{unit}" not in metric.axis:
        return metric.unit_scale, metric.axis
    largest = float(values.max()) if values.notna().any() else 0.0
    unit, factor = ("GB", 1e-9) if largest >= 2e9 else ("MB", 1e-6) if largest >= 1e6 else ("KB", 1e-3)
    return factor, metric.axis.format(unit=unit)


SIZES = (
    "file_bytes",
    "compressed_bytes",
    "parameter_bytes",
    "nonzero_bytes",
    "device_memory_bytes",
    "host_memory_bytes",
)
"""Never one size: what each technique changes is seen in some of these only."""
SIDE_BY_SIDE = ("file_bytes", "accuracy", "latency_ms", "throughput_per_s")


def side_by_side(rows: pd.DataFrame) -> tuple[str, ...]:
    """The four metrics to draw; the error of the outputs stands in where no data set gave an accuracy."""
    unknown = rows["accuracy"].isna().all() and rows["relative_l2"].notna().any()
    return tuple("relative_l2" if each == "accuracy" and unknown else each for each in SIDE_BY_SIDE)
