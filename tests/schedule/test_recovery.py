"""Kill things at the worst moment; afterwards everything is there once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import psutil
import pytest

from engine import intake
from engine.schedule import ensure_running
from engine.schedule.locks import device_lock, scheduler_is_running
from engine.settings import Settings
from engine.spec import Workload
from engine.store import PhaseRow, Store
from engine.worker.launch import ROOT
from tests.schedule.made import tiny_onnx, variants

FAST = Workload(batch_sizes=(1, 2), rounds=2, seconds=0.05, calls=5, warmup_seconds=0.0, threads=1, throughput=False)
T = TypeVar("T")
A, B = "onnxruntime", "onnxruntime(graph_optimization=basic)"


@pytest.fixture
def queued(store: Store, home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("OPTIBENCH_LOCKS", str(tmp_path / "locks"))
    model = intake.inspect_upload(home, tiny_onnx(tmp_path / "tiny.onnx"), store=store)
    return store.create_comparison("Tiny", model, FAST, variants(A, B))


@pytest.fixture
def start(home: Settings) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []

    def run() -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-m", "engine.schedule"], cwd=ROOT, start_new_session=True)
        started.append(process)
        return process

    yield run
    for each in started:
        each.terminate()
        assert each.wait(20) in (0, -signal.SIGKILL)


def until(condition: Callable[[], T], seconds: float = 60.0) -> T:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "It took too long."
        time.sleep(0.02)
    return found


def running(store: Store, id: str, kind: str) -> PhaseRow | None:
    return next((each for each in store.state(id).phases if each.kind == kind and each.state == "running"), None)


def workers(folder: Path) -> list[int]:
    return [
        each.pid
        for each in psutil.process_iter(["cmdline"])
        if "engine.worker" in (each.info["cmdline"] or []) and str(folder) in each.info["cmdline"]
    ]


def assert_whole(store: Store, id: str) -> None:
    """Every result is there, each was measured once, and nothing says it is running."""
    state = store.state(id)
    assert {each.state for each in state.phases} == {"done"}
    assert [each.status for variant in store.document(id).variants for each in variant.results] == ["ok"] * 4
    keys = Counter(
        (each.variant_id, each.measurement.round, each.slot, each.measurement.batch_size)
        for each in store.measurements(id)
    )
    assert set(keys.values()) == {1}
    assert len(keys) == 12


def test_a_killed_scheduler_loses_nothing(
    store: Store, home: Settings, queued: str, start: Callable[[], subprocess.Popen[bytes]]
) -> None:
    first = start()
    interrupted = until(lambda: store.marks(queued) and running(store, queued, "measure"))
    assert interrupted
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    until(lambda: not workers(interrupted.folder), 10)
    assert not scheduler_is_running(home)
    before = {each.id for each in store.state(queued).phases if each.state == "done"}
    start()
    until(lambda: store.comparison(queued).state == "finished", 90)
    assert_whole(store, queued)
    after = {each.id: each.attempts for each in store.state(queued).phases}
    assert all(after[each] == 1 for each in before), "What was done was done again."


def test_a_killed_worker_is_a_result_and_can_be_retried(
    store: Store, queued: str, start: Callable[[], subprocess.Popen[bytes]]
) -> None:
    start()
    victim = store.variants(queued)[1].id

    def measuring() -> list[int]:
        phase = running(store, queued, "measure")
        return workers(phase.folder) if phase is not None and phase.variant_id == victim else []

    for pid in until(measuring):
        os.kill(pid, signal.SIGKILL)
    until(lambda: store.comparison(queued).state == "finished", 90)
    statuses = [each.status for each in store.document(queued).variants[1].results]
    assert statuses == ["oom", "ok"]
    store.retry(queued, victim)
    until(lambda: store.comparison(queued).state == "finished", 90)
    assert [each.status for each in store.document(queued).variants[1].results] == ["ok", "ok"]


def test_a_stopped_scheduler_leaves_nothing_running_and_cancel_ends_the_rest(
    store: Store, queued: str, start: Callable[[], subprocess.Popen[bytes]]
) -> None:
    process = start()
    until(lambda: running(store, queued, "reference"))
    process.terminate()
    assert process.wait(20) == 0
    assert all(each.state in ("queued", "done") for each in store.state(queued).phases)
    start()
    until(lambda: running(store, queued, "build") or running(store, queued, "measure"))
    store.cancel(queued)
    until(lambda: store.comparison(queued).state == "cancelled", 30)
    assert {each.status for each in store.progress(queued)} == {"cancelled"}


def test_a_scheduler_stopped_while_it_waits_for_the_device_queues_its_phases_again(
    store: Store, queued: str, start: Callable[[], subprocess.Popen[bytes]]
) -> None:
    with device_lock("cpu").acquire():
        process = start()
        until(lambda: any(each.text.startswith("Waiting for another") for each in store.state(queued).phases))
        process.terminate()
        assert process.wait(20) == 0
    assert {each.state for each in store.state(queued).phases} == {"queued"}


def test_a_time_limit_ends_a_phase_and_the_rest_goes_on(
    store: Store, queued: str, start: Callable[[], subprocess.Popen[bytes]]
) -> None:
    model = store.comparison(queued).model_id
    assert model is not None
    store.cancel(queued)
    id = store.create_comparison("Short", model, replace(FAST, timeout_s=0.05), variants(A))
    start()
    until(lambda: store.comparison(id).state == "finished", 30)
    line = store.progress(id)[0]
    assert line.status == "timeout"
    assert "did not finish within" in line.reason
    assert line.hint


def test_one_variant_is_cancelled_in_the_middle(
    store: Store, queued: str, start: Callable[[], subprocess.Popen[bytes]]
) -> None:
    start()
    until(lambda: store.marks(queued))
    store.cancel(queued, store.variants(queued)[1].id)
    until(lambda: store.comparison(queued).state == "finished", 90)
    first, second = store.progress(queued)
    assert first.status == "ok"
    assert second.status == "cancelled"
    assert {each.state for each in store.state(queued).phases} == {"done"}


def test_one_scheduler_is_enough(home: Settings, store: Store, start: Callable[[], subprocess.Popen[bytes]]) -> None:
    start()
    until(lambda: scheduler_is_running(home))
    assert start().wait(20) == 0
    ensure_running(home)
    found = [each for each in psutil.process_iter(["cmdline", "environ"]) if is_scheduler_of(each, home)]
    assert len(found) == 1


def is_scheduler_of(process: psutil.Process, home: Settings) -> bool:
    environment = process.info["environ"] or {}
    return "engine.schedule" in (process.info["cmdline"] or []) and environment.get("OPTIBENCH_HOME") == str(home.home)
