"""One batch size of one variant: open, warm up, verify, time, watch."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any

from engine.artifact import Artifact
from engine.measure import clock, memory, throughput
from engine.measure.opening import closing
from engine.measure.plain import plain
from engine.measure.power import PowerMeter
from engine.measure.sequence import Feeds, call_size
from engine.measurement import Latency, Measurement, Parity, Throughput
from engine.runtimes.base import Session
from engine.worker import verifying
from engine.worker.bench import Bench

OTHER_ROUTE = "The conversion changed the model: take another route to this runtime."
OTHER_PRECISION = "Keep sensitive layers in higher precision, or choose another precision."
LAST_WARM_UP_CALLS = 3
LEAST_SATURATED_CALLS = 3


@dataclass
class Laps:
    """Seconds that each part of a measurement took, in order: where a comparison's minutes go."""

    seconds: dict[str, float] = field(default_factory=dict)
    began: float = field(default_factory=perf_counter)

    def end(self, part: str) -> None:
        """What was done since the last part ended was this one."""
        now = perf_counter()
        self.seconds[part] = now - self.began
        self.began = now


@dataclass(frozen=True)
class Times:
    """What the clock gave for one batch size."""

    warm_up: clock.WarmUp
    resident: Latency
    end_to_end: Latency
    rate: Throughput | None
    power: PowerMeter


def measure_batch(bench: Bench, batch_size: int) -> Measurement:
    """Everything the job asks for at one batch size. Raises what the runtime raises."""
    job, workload, laps = bench.job, bench.job.workload, Laps()
    call_size(bench.spec, batch_size)
    artifact = bench.artifact(batch_size)
    runtime = bench.runtime(artifact)
    feeds = bench.feeds(batch_size)
    memory.forget_host_peak()
    laps.end("inputs")
    session, load_s = bench.open(artifact, batch_size)
    laps.end("opening")
    with closing(session):
        session.bind(feeds)
        first_call_s = clock.first_call(session)
        clock.run_calls(session, workload.warmup_calls)
        laps.end("first calls")
        bench.stop_if_cancelled()
        session.reset()
        precision = runtime.precision(artifact.precision, workload.device)
        found = verifying.verify(session, bench.spec, job, artifact, batch_size, precision=precision, data=bench.data)
        laps.end("verifying")
        times = time_batch(bench, session, feeds, batch_size, laps)
        watched = memory.measure(session, bench.gpu, bench.used_before) if "memory" in job.extras else None
        laps.end("memory")
        details = plain({**session.details, **bench.notes, **found.details, **times.power.details()})
    laps.end("closing")
    details["precision"] = precision
    details["warm_up"] = dataclasses.asdict(times.warm_up)
    measurement = Measurement(
        batch_size=batch_size,
        round=job.round,
        position=job.position,
        status="ok",
        resident=times.resident,
        end_to_end=times.end_to_end,
        throughput=times.rate,
        parity=found.parity,
        accuracy=found.accuracy,
        load_s=load_s,
        import_s=bench.import_s,
        first_call_s=first_call_s,
        details=details,
        environment=bench.environment(runtime.library_versions()),
        spent_s=laps.seconds,
    )
    return verdict(with_memory(with_energy(measurement, times), watched), artifact)


def time_batch(bench: Bench, session: Session, feeds: Feeds, batch_size: int, laps: Laps) -> Times:
    """Device-resident latency, end-to-end latency, then the saturated loop under the power meter.

    The calls before verification have compiled and tuned everything; what is left to warm up is the
    clocks, for which the time counts.
    """
    workload = bench.job.workload
    session.bind(feeds)
    warmed = clock.warm_up(session, LAST_WARM_UP_CALLS, workload.warmup_seconds)
    laps.end("warm-up")
    resident = clock.resident(session, seconds=workload.seconds, calls=workload.calls)
    bench.stop_if_cancelled()
    end_to_end = clock.end_to_end(session, feeds, seconds=workload.seconds, calls=workload.calls)
    session.bind(feeds)
    laps.end("latency")
    rate = None
    with PowerMeter(bench.gpu) as power:
        if workload.throughput:
            rate = throughput.saturate(
                session,
                samples=batch_size,
                device=workload.device,
                seconds=workload.seconds,
                calls=LEAST_SATURATED_CALLS,
            )
    laps.end("throughput")
    return Times(warmed, resident, end_to_end, rate, power)


def with_energy(measurement: Measurement, times: Times) -> Measurement:
    """Mean watts of the saturated loop, and joules for one of its calls, where NVML gave them."""
    if times.rate is None or times.power.power_w is None:
        return measurement
    seconds_a_call = measurement.batch_size / times.rate.samples_per_s
    return replace(measurement, energy_j=times.power.power_w * seconds_a_call, power_w=times.power.power_w)


def with_memory(measurement: Measurement, watched: memory.Memory | None) -> Measurement:
    """The memory pass, where it was asked for."""
    if watched is None:
        return measurement
    details = {**measurement.details, **({"device_memory_method": watched.method} if watched.method else {})}
    return replace(
        measurement,
        device_memory_bytes=watched.device,
        framework_memory_bytes=watched.framework,
        host_memory_bytes=watched.host,
        details=details,
    )


def verdict(measurement: Measurement, artifact: Artifact) -> Measurement:
    """Mark a measurement suspect when its outputs are wrong or its artifact says so."""
    reasons = []
    hint = str(artifact.details.get("suspect_hint", ""))
    if measurement.parity is not None and measurement.parity.passed is False:
        reasons.append(measurement.parity.reason)
        hint = hint or way_out(measurement.parity)
    if artifact.details.get("suspect_reason"):
        reasons.append(str(artifact.details["suspect_reason"]))
    return replace(measurement, status="suspect", reason=" ".join(reasons), hint=hint) if reasons else measurement


def way_out(parity: Parity) -> str:
    """What to try when outputs differ: another precision, unless it is not the precision that changed them."""
    other_shape = parity.finite and not parity.outputs
    return OTHER_ROUTE if other_shape or parity.precision in ("fp32", "tf32") else OTHER_PRECISION


def failed(bench: Bench, batch_size: int, status: Any, reason: str, hint: str) -> Measurement:
    """A batch size that could not be measured."""
    return Measurement(
        batch_size=batch_size,
        round=bench.job.round,
        position=bench.job.position,
        status=status,
        reason=reason,
        hint=hint,
        details=dict(bench.notes),
        environment=bench.environment({}),
    )
