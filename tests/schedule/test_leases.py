"""Phases of owners that died, were stopped or only waited: taken up again, or given up."""

from __future__ import annotations

import threading

import pytest

from engine.measurement import BuildResult
from engine.schedule.lane import Lane
from engine.schedule.plan import wanted
from engine.schedule.recovery import owner_name, recover
from engine.spec import to_json
from engine.store import Store
from engine.store.phases import Wanted
from engine.store.queue import Queue
from engine.store.rows import DYNAMIC
from engine.worker.protocol import Outcome, write_result
from engine.worker.turn import Company
from tests.schedule.made import comparison

A, B = "onnxruntime", "onnxruntime(graph_optimization=basic)"


def test_only_one_of_two_gets_a_phase(store: Store) -> None:
    id = comparison(store, A, B)
    planned = next(wanted(store.state(id)))
    first, second = Queue(store, "here", "here:1:1.0"), Queue(store, "here", "here:2:1.0")
    assert first.claim(id, planned, "cpu", store.settings.jobs) is not None
    assert second.claim(id, planned, "cpu", store.settings.jobs) is None


def test_a_lease_of_a_dead_owner_is_taken_over_and_a_living_one_is_left(store: Store) -> None:
    id = comparison(store, A)
    host = store.comparison(id).host
    planned = next(wanted(store.state(id)))
    alive = Queue(store, host, owner_name(host))
    phase = alive.claim(id, planned, "cpu", store.settings.jobs)
    assert phase is not None
    other = Queue(store, host, f"{host}:1:0.0")
    recover(other)
    assert store.state(id).phases[0].state == "running"
    assert alive.requeue(phase)
    dead = Queue(store, host, f"{host}:999999:0.0")
    assert dead.claim(id, planned, "cpu", store.settings.jobs) is not None
    recover(alive)
    assert store.state(id).phases[0].state == "queued"


def test_a_phase_that_could_not_be_ended_is_taken_up_when_its_lease_runs_out(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = comparison(store, A)
    host = store.comparison(id).host
    queue = Queue(store, host, owner_name(host))
    monkeypatch.setattr("engine.store.phases.LEASE_S", 0.0)
    phase = queue.claim(id, next(wanted(store.state(id))), "cpu", store.settings.jobs)
    assert phase is not None
    recover(queue)
    assert store.state(id).phases[0].state == "running", "What is in hand is never taken away."
    queue.let_go(phase)
    recover(queue)
    assert store.state(id).phases[0].state == "queued"


def test_a_phase_that_only_waited_for_its_turn_is_not_given_up(store: Store) -> None:
    id = comparison(store, A)
    host = store.comparison(id).host
    dead = Queue(store, host, f"{host}:999999:0.0")
    for _ in range(4):
        phase = dead.claim(id, next(wanted(store.state(id))), "cpu", store.settings.jobs)
        assert phase is not None
        phase.folder.mkdir(parents=True)
        Company(1).turn(0, lambda: True).hold(phase.folder)
        recover(Queue(store, host, owner_name(host)))
    assert store.state(id).phases[0].state == "queued"


CANCELLED_BUILD = Outcome("ok", to_json(BuildResult("cancelled", "Cancelled.")))


@pytest.mark.parametrize("left", [Outcome("cancelled", {}, "Cancelled."), CANCELLED_BUILD])
def test_a_build_that_was_being_stopped_with_its_scheduler_is_done_again(
    store: Store, left: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = comparison(store, A)
    host = store.comparison(id).host
    planned = Wanted("build", store.variants(id)[0].id, (DYNAMIC,))
    dead = Queue(store, host, f"{host}:999999:0.0")
    phase = dead.claim(id, planned, "cpu", store.settings.jobs)
    assert phase is not None
    phase.folder.mkdir(parents=True)
    write_result(phase.folder, left)
    recover(alive := Queue(store, host, owner_name(host)))
    assert store.state(id).phases[0].state == "queued", "after a kill"
    phase = alive.claim(id, planned, "cpu", store.settings.jobs)
    assert phase is not None
    lane = Lane(store, alive, "cpu", threading.Event())
    monkeypatch.setattr(lane, "launched", lambda work, turn: left)
    lane.run_one(store.state(id), phase, planned, True, None)
    assert store.state(id).phases[0].state == "queued", "after a stop"


def test_a_phase_that_takes_the_scheduler_with_it_is_given_up(store: Store) -> None:
    id = comparison(store, A)
    host = store.comparison(id).host
    dead = Queue(store, host, f"{host}:999999:0.0")
    for _ in range(3):
        assert dead.claim(id, next(wanted(store.state(id))), "cpu", store.settings.jobs) is not None
        recover(Queue(store, host, owner_name(host)))
    assert store.progress(id)[0].status == "crashed"
    assert "3 times" in store.progress(id)[0].reason
