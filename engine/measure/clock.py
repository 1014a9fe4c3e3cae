"""The one clock of all runtimes: host time around `run()` and `synchronize()`.

MEASURING.md rules 1 to 3. *Device-resident* leaves inputs and outputs on the device; *end-to-end*
copies inputs in and outputs out. *Enqueue* is the time of `run()` alone.
"""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any

from engine.measurement import Latency
from engine.runtimes.base import Session
from engine.stats import thin

STABLE_WINDOW = 10
STABLE_CHANGE = 0.05
LONGEST_SETTLING_S = 2.0
CHUNK_CALLS = 64

Call = Callable[[], tuple[int, int]]


@dataclass(frozen=True)
class WarmUp:
    """What warming up took; `stable` is false when calls still changed at the end."""

    calls: int
    seconds: float
    stable: bool


def resident_call(session: Session) -> Call:
    """One inference with inputs and outputs on the device; gives (total, enqueue) in nanoseconds."""
    run, synchronize, now = session.run, session.synchronize, perf_counter_ns

    def call() -> tuple[int, int]:
        began = now()
        run()
        enqueued = now()
        synchronize()
        return now() - began, enqueued - began

    return call


def end_to_end_call(session: Session, feeds: Mapping[str, Any]) -> Call:
    """One inference with copies in and out; gives (total, enqueue) in nanoseconds."""
    bind, run, synchronize, fetch, now = session.bind, session.run, session.synchronize, session.fetch, perf_counter_ns

    def call() -> tuple[int, int]:
        began = now()
        bind(feeds)
        started = now()
        run()
        enqueued = now()
        synchronize()
        fetch()
        return now() - began, enqueued - started

    return call


@contextmanager
def undisturbed(session: Session) -> Iterator[None]:
    """Keep Python's garbage collector, and what a session sets up only once, out of timed calls."""
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        with session.many():
            yield
    finally:
        if enabled:
            gc.enable()


def first_call(session: Session) -> float:
    """Seconds of the first inference of a freshly opened session: compilation and lazy set-up."""
    total, _ = resident_call(session)()
    return total / 1e9


def run_calls(session: Session, calls: int) -> None:
    """Run and wait `calls` times without looking at the clock."""
    for _ in range(calls):
        session.run()
        session.synchronize()


def warm_up(session: Session, calls: int = 10, seconds: float = 0.3) -> WarmUp:
    """Run until at least `calls` calls and `seconds` have passed and the calls' median has settled.

    Settled means that the medians of the last two windows of ten calls differ by at most 5 %. It
    is waited for at most two seconds beyond the minimum, because a noisy machine never settles.
    """
    call = resident_call(session)
    times: list[int] = []
    began = perf_counter_ns()
    while True:
        times.append(call()[0])
        passed = (perf_counter_ns() - began) / 1e9
        if len(times) < calls or passed < seconds:
            continue
        stable = settled(times)
        if stable or passed > seconds + LONGEST_SETTLING_S:
            return WarmUp(len(times), passed, stable)


def settled(times: list[int]) -> bool:
    """Whether the median of the last window equals that of the one before, within 5 %."""
    window = min(STABLE_WINDOW, len(times) // 2)
    if window == 0:
        return False
    last = statistics.median(times[-window:])
    before = statistics.median(times[-2 * window : -window])
    return abs(last - before) <= STABLE_CHANGE * before


def timed(session: Session, call: Call, *, seconds: float, calls: int) -> Latency:
    """Repeat a call until at least `seconds` and `calls` have passed, and keep every time."""
    totals: list[int] = []
    enqueues: list[int] = []
    with undisturbed(session):
        deadline = perf_counter_ns() + int(seconds * 1e9)
        while len(totals) < calls or perf_counter_ns() < deadline:
            total, enqueue = call()
            totals.append(total)
            enqueues.append(enqueue)
    return kept(totals, enqueues)


def kept(totals: list[int], enqueues: list[int]) -> Latency:
    """A latency with at most 2,000 calls kept, evenly spread, enqueue times of the same calls."""
    return Latency(tuple(thin(totals).tolist()), tuple(thin(enqueues).tolist()), len(totals))


def timed_by_session(session: Session, *, seconds: float, calls: int, end_to_end: bool = False) -> Latency | None:
    """Let a session in another process time its calls on its own steady clock, in growing chunks.

    None when the session leaves the clock to us.
    """
    totals: list[int] = []
    enqueues: list[int] = []
    deadline = perf_counter_ns() + int(seconds * 1e9)
    chunk = 1
    while len(totals) < calls or perf_counter_ns() < deadline:
        found = session.time_calls(chunk, end_to_end=end_to_end)
        if found is None:
            return None
        totals.extend(found[0])
        enqueues.extend(found[1])
        chunk = min(CHUNK_CALLS, chunk * 2)
    return kept(totals, enqueues)


def resident(session: Session, *, seconds: float, calls: int) -> Latency:
    """Device-resident latency of what is bound."""
    own = timed_by_session(session, seconds=seconds, calls=calls)
    return own or timed(session, resident_call(session), seconds=seconds, calls=calls)


def end_to_end(session: Session, feeds: Mapping[str, Any], *, seconds: float, calls: int) -> Latency:
    """End-to-end latency of the same inputs, copied in and out at each call."""
    own = timed_by_session(session, seconds=seconds, calls=calls, end_to_end=True)
    return own or timed(session, end_to_end_call(session, feeds), seconds=seconds, calls=calls)
