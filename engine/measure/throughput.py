"""Throughput: a saturated loop of its own, never one over latency. MEASURING.md rule 8."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import perf_counter

from engine.errors import PhaseFailed
from engine.measure.clock import timed_by_session, undisturbed
from engine.measurement import Throughput
from engine.runtimes.base import Session
from engine.spec import Status

SMALLEST_GAIN = 0.05
QUEUED_S = 0.1
DEEPEST_QUEUE = 256
SWEEP_BUDGET_S = 60.0
LARGEST_BATCH = 4096


def saturate(session: Session, *, samples: int, device: str, seconds: float, calls: int) -> Throughput:
    """Samples per second of what is bound, `samples` of them in each call.

    On a GPU calls are enqueued without waiting; on a CPU they follow one another in a single
    stream, and the result says so. A session in another process keeps the time of a single stream
    itself, and on a GPU the better of both counts: enqueueing through a pipe may take longer than
    waiting.
    """
    single = own_rate(session, samples, seconds, calls)
    if not device.startswith("cuda"):
        return single or loop(session, samples, seconds, calls, depth=1)
    queued = loop(session, samples, seconds, calls, depth=queue_depth(session))
    return single if single and single.samples_per_s > queued.samples_per_s else queued


def loop(session: Session, samples: int, seconds: float, calls: int, *, depth: int) -> Throughput:
    """Enqueue `depth` calls between two waits, until `seconds` and `calls` have passed."""
    done = 0
    with undisturbed(session):
        session.synchronize()
        began = perf_counter()
        while done < calls or perf_counter() - began < seconds:
            for _ in range(depth):
                session.run()
            session.synchronize()
            done += depth
        passed = perf_counter() - began
    return Throughput(samples, done * samples / passed, "asynchronous" if depth > 1 else "single-stream", done)


def own_rate(session: Session, samples: int, seconds: float, calls: int) -> Throughput | None:
    """The rate of waited-for calls by the session's own clock, or None where it has none."""
    own = timed_by_session(session, seconds=seconds, calls=calls)
    if own is None:
        return None
    mean_s = sum(own.samples_ns) / len(own.samples_ns) / 1e9
    return Throughput(samples, samples / mean_s, "single-stream", own.count)


def queue_depth(session: Session) -> int:
    """How many calls to enqueue between two waits, from the time of a few.

    About 0.1 s of work is let queue up, which bounds the queue and makes one wait cost next to nothing.
    """
    began = perf_counter()
    for _ in range(3):
        session.run()
    session.synchronize()
    each = max((perf_counter() - began) / 3, 1e-6)
    return max(2, min(DEEPEST_QUEUE, round(QUEUED_S / each)))


def batch_sizes(largest: int | None) -> Iterator[int]:
    """1, 2, 4, … up to what the artifact serves."""
    size = 1
    while size <= min(largest or LARGEST_BATCH, LARGEST_BATCH):
        yield size
        size *= 2


def sweep(
    measure: Callable[[int], Throughput],
    *,
    explain: Callable[[Exception], tuple[Status, str, str]],
    largest: int | None = None,
    room: Callable[[], str] = lambda: "",
    on_point: Callable[[Throughput], None] = lambda point: None,
) -> tuple[Throughput, ...]:
    """Measure growing batch sizes until the gain falls below 5 %, memory ends or time is up.

    `measure` gives the throughput at one batch size. What it raises marks that batch and ends the
    sweep. `room` says before each size why there is no memory for it, or nothing.
    """
    points: list[Throughput] = []
    began = perf_counter()
    for size in batch_sizes(largest):
        full = room() if points else ""
        try:
            point = Throughput(size, 0.0, points[-1].mode, 0, "oom", full) if full else measure(size)
        except Exception as error:  # whatever a library raises ends the sweep, and the batch says why
            if isinstance(error, PhaseFailed) and error.status == "cancelled":
                raise
            status, reason, _ = explain(error)
            mode = points[-1].mode if points else "single-stream"
            point = Throughput(size, 0.0, mode, 0, status, reason)
        points.append(point)
        on_point(point)
        if point.status != "ok":
            break
        if len(points) > 1 and point.samples_per_s < (1.0 + SMALLEST_GAIN) * points[-2].samples_per_s:
            break
        if perf_counter() - began > SWEEP_BUDGET_S:
            break
    return tuple(points)
