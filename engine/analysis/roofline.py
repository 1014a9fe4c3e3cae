"""The roofline: how long this device must take at least, and what fraction of that limit a variant reaches.

Williams, Waterman, Patterson 2009. Two ceilings, both measured on the device: memory bandwidth and
arithmetic of the variant's precision. Bytes are the compulsory ones: weights, inputs and outputs
once each, as if everything between stayed in caches; so no variant can beat the limit by fusing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.document import Result, VariantDocument

WIDTHS = {"fp32": 4, "tf32": 4, "fp16": 2, "bf16": 2, "int8": 1, "fp8": 1, "int4": 0.5}


@dataclass(frozen=True)
class Roof:
    """The limit at one batch size. `bound` is compute or memory; `fraction` is 1 at the limit."""

    limit_ms: float
    fraction: float
    bound: str
    tflops: float
    gigabytes_per_s: float
    intensity: float


@dataclass(frozen=True)
class Work:
    """What one inference has to do: operations of one sample (a multiply-add is two), weights, inputs and outputs.

    `weights` counts elements; their bytes follow from the precision. `io_bytes` is of one sample.
    """

    flops: float
    weights: float
    io_bytes: float

    def bytes(self, batch_size: int, precision: str) -> float:
        """Compulsory traffic of one inference."""
        return self.weights * WIDTHS.get(precision, 4) + self.io_bytes * batch_size


def roof(work: Work, ceilings: Mapping[str, Any], precision: str, batch_size: int, latency_ms: float) -> Roof | None:
    """Compare a latency with the limit; None where the device's ceiling for this precision is not known.

    `ceilings` has `bandwidth` in bytes/s and `flops` by precision in operations/s.
    """
    peak = (ceilings.get("flops") or {}).get(precision)
    bandwidth = ceilings.get("bandwidth")
    if not peak or not bandwidth or not latency_ms or not work.flops:
        return None
    moved = work.bytes(batch_size, precision)
    computing, moving = work.flops * batch_size / peak, moved / bandwidth
    seconds = latency_ms / 1e3
    return Roof(
        limit_ms=max(computing, moving) * 1e3,
        fraction=max(computing, moving) / seconds,
        bound="compute" if computing >= moving else "memory",
        tflops=work.flops * batch_size / seconds / 1e12,
        gigabytes_per_s=moved / seconds / 1e9,
        intensity=work.flops * batch_size / moved,
    )


def roof_of(result: Result, variant: VariantDocument) -> Roof | None:
    """The roof of one result of a variant that was profiled, at any of its batch sizes, or None.

    Reads `profile["roofline"]`: `work` (flops, weights, io_bytes), `ceilings` and `precision`.
    """
    found = variant.profile.get("roofline") or {}
    latency = result.latency_ms.get("resident")
    if not found.get("work") or latency is None:
        return None
    work = Work(**{name: float(found["work"][name]) for name in ("flops", "weights", "io_bytes")})
    precision = str(found.get("precision") or variant.precision)
    return roof(work, found.get("ceilings") or {}, precision, result.batch_size, latency.p50)
