"""What building and measuring gave, as frozen data: raw samples and judgements, no summaries.

Goes to JSON and back like everything in `engine.spec`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from engine.spec import Status


@dataclass(frozen=True)
class Latency:
    """Raw times of one latency in one round: nanoseconds per call, at most 2,000 kept.

    `count` is how many calls were timed, `enqueue_ns` the part of each that `run()` alone took.
    """

    samples_ns: tuple[int, ...]
    enqueue_ns: tuple[int, ...] = ()
    count: int = 0


@dataclass(frozen=True)
class Throughput:
    """A saturated loop: `samples_per_s` at one batch size; `mode` says how it was loaded."""

    batch_size: int
    samples_per_s: float
    mode: Literal["asynchronous", "single-stream"]
    count: int
    status: Status = "ok"
    reason: str = ""


@dataclass(frozen=True)
class Parity:
    """How far the outputs are from the reference's on the same inputs.

    `passed` is None when there is no evidence (the reference is constant or nearly zero).
    `evidence` is `data` (the user's samples) or `random`, which is weak. Errors are of the worst
    output; `snr_db` is 10 log10(signal/noise power). A variant that is meant to differ (it was pruned
    or trained) is `judged_by` its accuracy.
    """

    passed: bool | None
    relative_l2: float | None = None
    cosine: float | None = None
    snr_db: float | None = None
    max_abs: float | None = None
    mean_abs: float | None = None
    top1_agreement: float | None = None
    samples: int = 0
    evidence: Literal["data", "random", "none"] = "random"
    tolerance: float | None = None
    precision: str = "fp32"
    finite: bool = True
    reason: str = ""
    outputs: dict[str, float] = field(default_factory=dict)
    judged_by: Literal["outputs", "accuracy"] = "outputs"


@dataclass(frozen=True)
class Accuracy:
    """Top-1 accuracy on labelled data with a 95 % Wilson interval, or agreement with the original.

    `correct` keeps one flag a sample, so that differences between variants are paired.
    """

    value: float
    low: float
    high: float
    samples: int
    kind: Literal["accuracy", "agreement"] = "accuracy"
    correct: str = ""


@dataclass(frozen=True)
class Sizes:
    """Five sizes in bytes, never one: MEASURING.md rule 14. Memory at run time is in Measurement."""

    file: int
    compressed: int
    parameters: int | None = None
    nonzero: int | None = None


@dataclass(frozen=True)
class Measurement:
    """What one run of one variant at one batch size in one round gave; raw samples, no summary.

    Times are in seconds unless the name says otherwise, memory in bytes, energy in joules for one
    call of the whole batch. What a round did not measure is None. `import_s` is what importing
    libraries took in the whole process, `spent_s` what each part of measuring took, in order.
    """

    batch_size: int
    round: int
    status: Status
    reason: str = ""
    hint: str = ""
    resident: Latency | None = None
    end_to_end: Latency | None = None
    throughput: Throughput | None = None
    sweep: tuple[Throughput, ...] = ()
    parity: Parity | None = None
    accuracy: Accuracy | None = None
    load_s: float | None = None
    import_s: float | None = None
    first_call_s: float | None = None
    device_memory_bytes: int | None = None
    framework_memory_bytes: int | None = None
    host_memory_bytes: int | None = None
    energy_j: float | None = None
    power_w: float | None = None
    details: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    position: int = 0
    spent_s: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class BuildResult:
    """What building one artifact gave. `steps` has one entry for each step of the route."""

    status: Status
    reason: str = ""
    hint: str = ""
    key: str = ""
    build_s: float | None = None
    cached: bool = False
    sizes: Sizes | None = None
    steps: tuple[dict[str, Any], ...] = ()
    details: dict[str, Any] = field(default_factory=dict)
    failing_step: str = ""
