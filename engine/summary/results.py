"""What the rounds of one variant say at each batch size."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from engine.document import LatencySummary, Result
from engine.errors import BadOption
from engine.measurement import BuildResult, Latency, Measurement
from engine.runtimes import all_runtimes
from engine.spec import Status
from engine.stats import summarize
from engine.store.rows import DYNAMIC, ComparisonRow, ComparisonState, MeasurementRow, PhaseRow, VariantRow
from engine.summary.memory import figures

KINDS = ("resident", "end_to_end")
GOOD: tuple[Status, ...] = ("ok", "suspect")
PLACES = ("artifact", "cache")  # folders of this machine


@dataclass(frozen=True)
class Evidence:
    """Everything known about one variant. `blocked` is a shared phase that ended badly, if one did."""

    row: VariantRow
    builds: dict[int, BuildResult]
    measurements: tuple[MeasurementRow, ...]
    running: tuple[PhaseRow, ...] = ()
    blocked: PhaseRow | None = None

    def at(self, batch_size: int) -> list[Measurement]:
        """The measurements at one batch size in the order they were made."""
        return [each.measurement for each in self.measurements if each.measurement.batch_size == batch_size]

    def good_rounds(self, batch_size: int, kind: str) -> dict[int, list[Latency]]:
        """The latencies of one kind by round: one, or two for a baseline that ran first and last."""
        found: dict[int, list[Latency]] = {}
        for each in self.at(batch_size):
            latency: Latency | None = getattr(each, kind)
            if each.status in GOOD and latency is not None and latency.samples_ns:
                found.setdefault(each.round, []).append(latency)
        return found

    def key(self, batch_size: int, kind: str) -> Hashable:
        """What names the samples of `good_rounds`: measurements are never changed, only added or dropped."""
        rounds = tuple(
            (each.measurement.round, each.slot)
            for each in self.measurements
            if each.measurement.batch_size == batch_size and each.measurement.status in GOOD
        )
        return self.row.id, batch_size, kind, rounds

    def build(self, batch_size: int) -> BuildResult | None:
        """The build that serves one batch size."""
        return self.builds.get(batch_size) or self.builds.get(DYNAMIC)

    def precision(self, device: str) -> str:
        """The precision the variant runs at, as its artifact and its runtime say; empty until it is built."""
        built = next((each for each in self.builds.values() if each.status == "ok"), None)
        if built is None:
            return ""
        artifact = str(built.details.get("precision", "fp32"))
        use = self.row.variant.recipe.runtime
        runtime = all_runtimes().get(use.name)
        try:
            return runtime.from_options(use.options).precision(artifact, device) if runtime else artifact
        except BadOption:  # measured by a version whose runtime had other options
            return artifact


def gather(state: ComparisonState, measurements: Sequence[MeasurementRow]) -> list[Evidence]:
    """The evidence of every variant in the order of the comparison."""
    blocked = next(
        (
            each
            for each in state.phases
            if each.variant_id is None and each.state == "done" and each.status not in ("ok", "cancelled")
        ),
        None,
    )
    return [
        Evidence(
            row=row,
            builds={size: result for (variant, size), result in state.builds.items() if variant == row.id},
            measurements=tuple(each for each in measurements if each.variant_id == row.id),
            running=tuple(each for each in state.phases if each.variant_id == row.id and each.state == "running"),
            blocked=blocked,
        )
        for row in state.variants
    ]


def results_of(evidence: Evidence, comparison: ComparisonRow) -> tuple[Result, ...]:
    """One result for each batch size of the workload."""
    return tuple(result_at(evidence, size) for size in comparison.workload.batch_sizes)


def result_at(evidence: Evidence, size: int) -> Result:
    """One result from all rounds; first-time figures come from the first run, in a process of its own."""
    status, reason, hint = verdict(evidence, size)
    measured = evidence.at(size)
    build = evidence.build(size)
    throughput = [each.throughput.samples_per_s for each in measured if each.throughput and each.status in GOOD]
    return Result(
        batch_size=size,
        status=status,
        reason=reason,
        hint=hint,
        parity=first(measured, "parity"),
        size_bytes=build.sizes if build else None,
        build_s=build.build_s if build else None,
        cached=build.cached if build else False,
        load_s=first(measured, "load_s"),
        import_s=first(measured, "import_s"),
        first_call_s=first(measured, "first_call_s"),
        latency_ms=latencies(evidence, size),
        throughput_per_s=median(throughput) if throughput else None,
        throughput=first(measured, "sweep") or tuple(each.throughput for each in measured[:1] if each.throughput),
        device_memory_bytes=first(measured, "device_memory_bytes"),
        framework_memory_bytes=first(measured, "framework_memory_bytes"),
        host_memory_bytes=first(measured, "host_memory_bytes"),
        energy_j=middle(measured, "energy_j"),
        power_w=middle(measured, "power_w"),
        accuracy=first(measured, "accuracy"),
        details=details(build, measured),
        samples_ns={
            kind: tuple(latency.samples_ns for group in evidence.good_rounds(size, kind).values() for latency in group)
            for kind in KINDS
            if evidence.good_rounds(size, kind)
        },
    )


def verdict(evidence: Evidence, size: int) -> tuple[Status, str, str]:
    """How a variant ended at one batch size, why, and what to do next."""
    variant = evidence.row.variant
    if variant.unsupported:
        return "unsupported", variant.unsupported, variant.hint
    measured = evidence.at(size)
    for each in measured:
        if each.status not in GOOD:
            return each.status, each.reason, each.hint
    build = evidence.build(size)
    if build is not None and build.status != "ok":
        return build.status, build.reason, build.hint
    suspect = next((each for each in measured if each.status == "suspect"), None)
    if suspect is not None:
        return "suspect", suspect.reason, suspect.hint
    if measured:
        return "ok", "", ""
    if evidence.row.cancelled:
        return "cancelled", "Cancelled before it was measured.", "Retry it from the Runs page."
    if evidence.blocked is not None:
        blocked = evidence.blocked
        return blocked.status, f"{blocked.kind.capitalize()}: {blocked.reason}", blocked.hint
    running = any(
        not each.batch_sizes or size in each.batch_sizes or DYNAMIC in each.batch_sizes for each in evidence.running
    )
    return ("running" if running else "queued"), "", ""


def latencies(evidence: Evidence, size: int) -> dict[str, LatencySummary]:
    """The summary of each latency that was measured; both runs of a baseline count as one round."""
    found = {kind: latency(evidence, size, kind) for kind in KINDS}
    return {kind: summary for kind, summary in found.items() if summary is not None}


def latency(evidence: Evidence, size: int, kind: str) -> LatencySummary | None:
    """The summary of one latency, or None when it was not measured."""
    rounds = evidence.good_rounds(size, kind).values()
    return figures.recall(evidence.key(size, kind), lambda: summarize([pooled(each) for each in rounds]))


def pooled(latencies: list[Latency]) -> Latency:
    """Several runs of one round as one."""
    return Latency(
        samples_ns=tuple(value for each in latencies for value in each.samples_ns),
        enqueue_ns=tuple(value for each in latencies for value in each.enqueue_ns),
        count=sum(each.count or len(each.samples_ns) for each in latencies),
    )


def first(measured: Sequence[Measurement], name: str) -> Any:
    """The first value that was measured, or None."""
    values = (getattr(each, name) for each in measured)
    return next((each for each in values if each not in (None, ())), None)


def middle(measured: Sequence[Measurement], name: str) -> float | None:
    """The median of the rounds that measured it, or None."""
    values = [getattr(each, name) for each in measured if getattr(each, name) is not None]
    return median(values) if values else None


def details(build: BuildResult | None, measured: Sequence[Measurement]) -> dict[str, Any]:
    """What the build and the first run want the user to know."""
    found: dict[str, Any] = {}
    if build is not None:
        found |= {name: value for name, value in build.details.items() if name not in PLACES}
        if build.failing_step:
            found["failing_step"] = build.failing_step
    for each in measured[:1]:
        found |= each.details
    return found
