"""The clock and the saturated loop: what is called, in which order, how often; no timing."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable

import numpy as np
import pytest

from engine.errors import OutOfMemory, PhaseFailed
from engine.measure import clock, throughput
from engine.measure.imports import import_clock
from engine.measure.plain import plain
from engine.measurement import Throughput
from engine.spec import Status
from tests.measure.sessions import OwnClock, Sleeper


def test_resident_calls_copy_nothing() -> None:
    session = Sleeper()
    latency = clock.resident(session, seconds=0.01, calls=5)
    assert set(session.events) == {"run", "synchronize"}
    assert latency.count == session.events.count("run") >= 5


def test_end_to_end_copies_in_and_out_every_time() -> None:
    session = Sleeper()
    latency = clock.end_to_end(session, {}, seconds=0.0, calls=3)
    assert session.events == ["bind", "run", "synchronize", "fetch"] * 3
    assert latency.count == 3


def test_enqueue_is_a_part_of_latency() -> None:
    latency = clock.resident(Sleeper(), seconds=0.0, calls=20)
    assert len(latency.enqueue_ns) == len(latency.samples_ns) == 20
    assert all(enqueue <= total for enqueue, total in zip(latency.enqueue_ns, latency.samples_ns, strict=True))


def test_at_most_two_thousand_samples_are_kept() -> None:
    latency = clock.resident(Sleeper(0, 0), seconds=0.0, calls=2100)
    assert (len(latency.samples_ns), latency.count) == (2000, 2100)


def test_a_session_with_its_own_clock_is_believed() -> None:
    latency = clock.resident(OwnClock(), seconds=0.0, calls=100)
    assert latency.count >= 100
    assert set(latency.samples_ns) == {1000}
    assert set(latency.enqueue_ns) == {10}
    assert set(clock.end_to_end(OwnClock(), {}, seconds=0.0, calls=3).samples_ns) == {3000}
    assert throughput.saturate(OwnClock(), samples=2, device="cpu", seconds=0.0, calls=3).samples_per_s == 2e6


def test_warm_up_runs_long_enough() -> None:
    warmed = clock.warm_up(Sleeper(0, 0), calls=10, seconds=0.02)
    assert warmed.calls >= 10
    assert warmed.seconds >= 0.02


def test_settled_means_the_last_windows_agree() -> None:
    assert not clock.settled([100] * 10 + [50] * 10)
    assert clock.settled([900] * 5 + [50] * 20)
    assert not clock.settled([7])


def test_the_collector_is_off_while_timing_and_on_again() -> None:
    with clock.undisturbed(Sleeper(0, 0)):
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_gpu_queue_is_filled_but_bounded() -> None:
    session = Sleeper(0, 0.0001)
    rate = throughput.saturate(session, samples=4, device="cuda:0", seconds=0.05, calls=10)
    assert rate.mode == "asynchronous"
    assert rate.batch_size == 4
    assert 1 < session.deepest <= throughput.DEEPEST_QUEUE


def test_a_cpu_is_measured_in_a_single_stream() -> None:
    session = Sleeper(0, 0)
    rate = throughput.saturate(session, samples=1, device="cpu", seconds=0.0, calls=5)
    assert (rate.mode, session.deepest, rate.count) == ("single-stream", 1, 5)


def test_on_a_gpu_the_better_of_queueing_and_the_own_clock_counts() -> None:
    rate = throughput.saturate(OwnClock(0.001, 0), samples=1, device="cuda:0", seconds=0.0, calls=3)
    assert (rate.mode, rate.samples_per_s) == ("single-stream", 1e6)


def explain(error: Exception) -> tuple[Status, str, str]:
    return "oom", str(error), ""


def test_a_sweep_ends_when_the_gain_does() -> None:
    rates = {1: 100.0, 2: 190.0, 4: 195.0, 8: 500.0}
    points = throughput.sweep(lambda size: Throughput(size, rates[size], "asynchronous", 9), explain=explain)
    assert [each.batch_size for each in points] == [1, 2, 4]


def test_running_out_of_memory_marks_the_batch_and_ends_the_sweep() -> None:
    def measure(size: int) -> Throughput:
        if size > 2:
            raise OutOfMemory("Memory ran out.")
        return Throughput(size, 100.0 * size, "asynchronous", 9)

    points = throughput.sweep(measure, explain=explain)
    assert [each.status for each in points] == ["ok", "ok", "oom"]
    assert points[-1].reason == "Memory ran out."


def test_a_cancelled_sweep_is_cancelled_and_a_crash_is_a_point() -> None:
    def raising(status: str) -> Callable[[int], Throughput]:
        def measure(size: int) -> Throughput:
            raise PhaseFailed(status, "over")

        return measure

    assert throughput.sweep(raising("crashed"), explain=explain)[0].status == "oom"
    with pytest.raises(PhaseFailed):
        throughput.sweep(raising("cancelled"), explain=explain)


def test_a_sweep_stays_within_the_artifact_and_the_hosts_memory() -> None:
    def measure(size: int) -> Throughput:
        return Throughput(size, 100.0 * size, "single-stream", 9)

    assert [each.batch_size for each in throughput.sweep(measure, explain=explain, largest=6)] == [1, 2, 4]
    points = throughput.sweep(measure, explain=explain, room=lambda: "No room.")
    assert [(each.batch_size, each.status) for each in points] == [(1, "ok"), (2, "oom")]


def test_imports_are_counted_apart_and_undone() -> None:
    before = __import__
    with import_clock() as spent:
        import json.tool  # noqa: F401
    assert spent.seconds > 0
    assert __import__ is before


def test_an_interrupted_import_clock_is_undone() -> None:
    before = __import__
    with pytest.raises(ImportError), import_clock():
        import there_is_no_such_module  # type: ignore[import-not-found] # noqa: F401
    assert __import__ is before


def test_details_become_plain_json() -> None:
    class Version(str):
        """A string of its own kind, as torch.__version__ is."""

    found = plain(
        {"v": Version("2.1"), 3: np.float32(0.5), "list": (np.arange(2), {1}), "nan": float("inf"), "n": None}
    )
    assert json.dumps(found) == '{"v": "2.1", "3": 0.5, "list": [[0, 1], [1]], "nan": null, "n": null}'
    assert type(found["v"]) is str
