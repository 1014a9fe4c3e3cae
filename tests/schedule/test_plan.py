"""The order of work, and what failures leave of it."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest

from engine.measurement import BuildResult
from engine.schedule import plan as planning
from engine.schedule.plan import alongside, wanted
from engine.spec import Workload, to_json
from engine.store import Store
from engine.store.rows import PhaseRow
from engine.worker.protocol import Outcome
from tests.schedule.made import comparison, fine, measurement, work_through

A, B = "onnxruntime", "onnxruntime(graph_optimization=basic)"
TWO_ROUNDS = Workload(batch_sizes=(1, 8), rounds=2)


def test_the_baseline_is_first_and_last_in_every_round(store: Store) -> None:
    id = comparison(store, A, B, workload=TWO_ROUNDS)
    assert work_through(store, id, fine) == [
        "reference   round 0",
        f"build {A} 0 round 0",
        f"build {B} 0 round 0",
        f"measure {A} 1 round 0",
        f"measure {A} 8 round 0",
        f"measure {B} 1 round 0",
        f"measure {B} 8 round 0",
        f"measure {A} 1,8 round 0",
        f"measure {A} 1,8 round 1",
        f"measure {B} 1,8 round 1",
        f"measure {A} 1,8 round 1",
    ]
    assert [each.status for each in store.progress(id)] == ["ok", "ok"]


def test_a_static_variant_is_built_for_each_batch_size(store: Store) -> None:
    id = comparison(store, A, f"{B} [static]", workload=TWO_ROUNDS)
    builds = [each for each in work_through(store, id, fine) if each.startswith("build")]
    assert builds == [f"build {A} 0 round 0", f"build {B} [static] 1 round 0", f"build {B} [static] 8 round 0"]


def test_a_data_set_is_prepared_first(store: Store) -> None:
    id = comparison(store, A, workload=replace(TWO_ROUNDS, dataset="sample:digits"))
    assert work_through(store, id, fine)[:2] == ["prepare   round 0", "reference   round 0"]


def test_a_failed_build_ends_its_variant_alone(store: Store) -> None:
    id = comparison(store, A, B)
    failing = store.variants(id)[1].id

    def answer(phase: PhaseRow) -> Outcome:
        if phase.kind == "build" and phase.variant_id == failing:
            built = BuildResult("crashed", "It died.", "Look.", failing_step="half")
            return Outcome("ok", to_json(built))
        return fine(phase)

    done = work_through(store, id, answer)
    assert f"measure {A} 1 round 0" in done
    assert not any(each.startswith(f"measure {B}") for each in done)
    result = store.document(id).variants[1].results[0]
    assert (result.status, result.reason, result.hint) == ("crashed", "It died.", "Look.")
    assert store.progress(id)[1].failing_step == "half"
    assert store.state(id).phases[2].status == "crashed"


def test_a_batch_size_that_kills_its_process_leaves_the_others_to_the_next(store: Store) -> None:
    id = comparison(store, A, workload=Workload(batch_sizes=(1, 8, 32), rounds=2))

    def answer(phase: PhaseRow) -> Outcome:
        if phase.kind == "measure" and phase.round == 1 and 8 in phase.batch_sizes and 1 in phase.batch_sizes:
            return Outcome("oom", {"measurements": to_json([measurement(1, 2.0, 1)])}, "Memory ran out.")
        return fine(phase)

    done = work_through(store, id, answer)
    assert done[-2:] == [f"measure {A} 1,8,32 round 1", f"measure {A} 32 round 1"]
    results = store.document(id).variants[0].results
    assert [each.status for each in results] == ["ok", "oom", "ok"]
    assert results[2].latency_ms["resident"].rounds == 2


def test_nothing_is_measured_when_the_reference_fails(store: Store) -> None:
    id = comparison(store, A, B)
    done = work_through(store, id, lambda phase: Outcome("failed", {}, "Wrong shape.", "Give another."))
    assert done == ["reference   round 0"]
    for each in store.progress(id):
        assert each.status == "failed"
        assert "Wrong shape." in each.reason


def test_a_retried_variant_gets_rounds_of_its_own_with_a_fresh_baseline(store: Store) -> None:
    id = comparison(store, A, B)
    crashed: list[str] = []

    def answer(phase: PhaseRow) -> Outcome:
        if phase.kind == "measure" and phase.variant_id == store.variants(id)[1].id and not crashed:
            crashed.append(phase.id)
            return Outcome("crashed", {}, "It died.")
        return fine(phase)

    work_through(store, id, answer)
    assert store.document(id).variants[1].results[0].status == "crashed"
    store.retry(id, store.variants(id)[1].id)
    assert work_through(store, id, fine) == [
        f"measure {A} 1 round 1",
        f"measure {B} 1 round 1",
        f"measure {A} 1 round 1",
    ]
    result = store.document(id).variants[1].results[0]
    assert result.status == "ok"
    assert result.speedup["baseline"].value == 1.0


def test_a_retried_baseline_fills_its_gaps(store: Store) -> None:
    id = comparison(store, A, B)
    crashed: list[str] = []

    def answer(phase: PhaseRow) -> Outcome:
        if phase.kind == "measure" and not crashed:
            crashed.append(phase.id)
            found = [replace(measurement(1, 1.0), status="oom")]
            return Outcome("ok", {"measurements": to_json(found)})
        return fine(phase)

    work_through(store, id, answer)
    store.retry(id, store.variants(id)[0].id)
    assert work_through(store, id, fine) == [f"measure {A} 1 round 0", f"measure {A} 1 round 0"]
    assert [each.status for each in store.progress(id)] == ["ok", "ok"]


def test_a_cancelled_variant_is_left_out(store: Store) -> None:
    id = comparison(store, A, B)
    store.cancel(id, store.variants(id)[1].id)
    assert not any(B in each for each in work_through(store, id, fine))
    assert [each.status for each in store.progress(id)] == ["ok", "cancelled"]


def test_an_unsupported_variant_costs_nothing_and_says_why(store: Store) -> None:
    id = comparison(store, A, "eager(cuda_graph=true)")
    assert len(list(wanted(store.state(id)))) == 3
    line = store.progress(id)[1]
    assert line.status == "unsupported"
    assert line.reason


def test_remaining_time_comes_from_what_was_measured(store: Store) -> None:
    id = comparison(store, A, B)
    assert [each.remaining_s for each in store.progress(id)] == [None, None]
    steps = iter([True, True, True, True])

    class Enough(Exception):
        pass

    def answer(phase: PhaseRow) -> Outcome:
        if not next(steps, False):
            raise Enough
        return fine(phase)

    with contextlib.suppress(Enough):
        work_through(store, id, answer)
    first, second = store.progress(id)
    assert second.remaining_s is not None
    assert first.remaining_s is not None
    assert 0 <= second.remaining_s < first.remaining_s <= 3.0


def test_measurements_start_together_as_many_as_there_are_cores(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "threads_for", lambda wanted: 4)
    state = store.state(comparison(store, A, B, workload=TWO_ROUNDS))
    plan = (each for each in wanted(state) if each.kind == "measure")
    assert [each.kind for each in alongside(next(plan), plan)] == ["measure"] * 3


def test_the_command_is_known_before_anything_ran(store: Store) -> None:
    id = comparison(store, A, B)
    lines = store.progress(id)
    assert lines[1].reproduce.startswith(f"optibench compare MODEL --recipe '{B}'")
    assert lines[1].remaining_s is None


def test_a_variant_that_could_not_be_measured_says_so(store: Store) -> None:
    id = comparison(store, A)

    def answer(phase: PhaseRow) -> Outcome:
        return Outcome("crashed", {}, "It died.", "Look.") if phase.kind == "measure" else fine(phase)

    work_through(store, id, answer)
    assert store.progress(id)[0].failing_step == "measure"
