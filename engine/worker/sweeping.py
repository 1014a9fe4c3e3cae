"""Throughput over growing batch sizes, of artifacts whose batch is dynamic."""

from __future__ import annotations

from collections.abc import Callable

from engine.artifact import Artifact
from engine.measure import clock, memory, throughput
from engine.measure.inputs import verification_calls
from engine.measure.opening import closing
from engine.measurement import Throughput
from engine.spec import Status
from engine.worker.bench import Bench

SECONDS = 0.2
CALLS = 3
WARM_UP_CALLS = 3


def dynamic_artifact(bench: Bench) -> Artifact | None:
    """The artifact that serves any batch size, or None where a sweep makes no sense."""
    if bench.spec.batch_dimension is None or not bench.job.artifacts:
        return None
    artifact = bench.artifact(next(iter(bench.job.artifacts)))
    if artifact.details.get("batch_size") is not None or bench.runtime(artifact).compiles:
        return None
    return artifact


def sweep(
    bench: Bench, artifact: Artifact, explain: Callable[[Exception], tuple[Status, str, str]]
) -> tuple[Throughput, ...]:
    """1, 2, 4, … until the gain falls below 5 %, memory ends, or the artifact's range does."""
    serves = artifact.details.get("batch_range")
    before = memory.host_peak() or 0

    def at(batch_size: int) -> Throughput:
        bench.stop_if_cancelled()
        feeds = verification_calls(bench.spec, batch_size, 1, bench.job.workload.seed, None)[0]
        session, _ = bench.open(artifact, batch_size)
        with closing(session):
            session.bind(feeds)
            clock.run_calls(session, WARM_UP_CALLS)
            return throughput.saturate(
                session, samples=batch_size, device=bench.job.workload.device, seconds=SECONDS, calls=CALLS
            )

    def tell(point: Throughput) -> None:
        bench.report(None, f"Throughput at batch size {point.batch_size}: {point.samples_per_s:.3g} samples/s")

    return throughput.sweep(
        at,
        explain=explain,
        largest=int(serves[2]) if serves else None,
        room=lambda: memory.room_on_host(before),
        on_point=tell,
    )
