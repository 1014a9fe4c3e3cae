"""Raw samples lie in blobs beside their measurement's JSON."""

from __future__ import annotations

from dataclasses import replace

from engine.measurement import Latency, Measurement
from engine.stats import pack, unpack


def packed(values: tuple[int, ...] | None) -> bytes | None:
    """Nanoseconds as a compressed blob, or None when there are none."""
    return pack(values) if values else None


def unpacked(blob: bytes | None) -> tuple[int, ...]:
    """Nanoseconds from a blob."""
    return tuple(unpack(blob).tolist()) if blob else ()


def bare(measurement: Measurement) -> Measurement:
    """The measurement without its raw samples; the counts stay."""
    return replace(
        measurement, resident=without_samples(measurement.resident), end_to_end=without_samples(measurement.end_to_end)
    )


def without_samples(latency: Latency | None) -> Latency | None:
    """A latency that kept only its count."""
    return None if latency is None else Latency(samples_ns=(), count=latency.count)


def with_samples(latency: Latency | None, samples: bytes | None, enqueue: bytes | None) -> Latency | None:
    """A latency with its raw samples put back."""
    return None if latency is None else replace(latency, samples_ns=unpacked(samples), enqueue_ns=unpacked(enqueue))
