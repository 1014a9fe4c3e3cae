"""Which builds go side by side, and that a free place is taken at once."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from engine.recipes import parse
from engine.routes import plan
from engine.schedule import builds as planning
from engine.schedule.builds import builds_to_start
from engine.schedule.lane import Lane
from engine.schedule.plan import wanted
from engine.schedule.recovery import owner_name
from engine.schedule.work import Work
from engine.spec import ModelSpec, TensorSpec, Workload
from engine.store import Store
from engine.store.phases import Wanted
from engine.store.queue import Queue, Taken
from engine.worker.protocol import Outcome
from engine.worker.turn import Turn
from tests.schedule.made import comparison, fine

A, B = "onnxruntime", "onnxruntime(graph_optimization=basic)"
TWO_SIZES = Workload(batch_sizes=(1, 8))
DIGITS = ModelSpec(
    name="digits",
    format="torch-module",
    inputs=(TensorSpec("x", "float32", ("batch", 64)),),
    outputs=(TensorSpec("y", "float32", ("batch", 10)),),
    architecture="sample.digits",
    task="classification",
)
PRUNED = "prune-channels > finetune"


def modules(store: Store, *recipes: str) -> str:
    """A comparison of a PyTorch module, whose reference is there already."""
    model = store.add_model(DIGITS, store.settings.uploads / "digits")
    variants = [plan(DIGITS, parse(each), "cpu", label=each, baseline=each == recipes[0]) for each in recipes]
    assert not any(each.unsupported for each in variants)
    return with_reference(store, store.create_comparison("Digits", model, TWO_SIZES, variants))


def with_reference(store: Store, id: str) -> str:
    queue = queue_of(store, id)
    phase = queue.claim(id, Wanted("reference"), "cpu", store.settings.jobs)
    assert phase is not None
    assert queue.finish(phase, Taken(fine(phase)))
    return id


def queue_of(store: Store, id: str) -> Queue:
    host = store.comparison(id).host
    return Queue(store, host, owner_name(host))


def labels(store: Store, id: str, chosen: Sequence[Wanted]) -> list[tuple[str, int]]:
    names = {each.id: each.variant.label for each in store.variants(id)}
    return [(names[str(each.variant_id)], each.batch_sizes[0]) for each in chosen]


def started(store: Store, id: str) -> list[tuple[str, int]]:
    """Claim what can start, and name it."""
    chosen = builds_to_start(store.state(id), {})
    for each in chosen:
        assert queue_of(store, id).claim(id, each, "cpu", store.settings.jobs)
    return labels(store, id, chosen)


@pytest.fixture
def twelve_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "threads_for", lambda wanted: 12)


@pytest.mark.usefixtures("twelve_cores")
def test_twelve_cores_carry_three_builds(store: Store) -> None:
    id = with_reference(store, comparison(store, A, B, f"{B} [static]", workload=TWO_SIZES))
    assert started(store, id) == [(A, 0), (B, 0), (f"{B} [static]", 1)]
    assert started(store, id) == [], "every place is taken"


def test_few_cores_carry_one(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "threads_for", lambda wanted: 2)
    id = with_reference(store, comparison(store, A, B))
    assert started(store, id) == [(A, 0)]


@pytest.mark.usefixtures("twelve_cores")
def test_nothing_is_built_before_the_reference(store: Store) -> None:
    assert builds_to_start(store.state(comparison(store, A, B)), {}) == []


@pytest.mark.usefixtures("twelve_cores")
def test_nothing_goes_beside_a_build_that_times_kernels(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "times_kernels", lambda row: row.variant.label == A)
    id = with_reference(store, comparison(store, A, B, workload=TWO_SIZES))
    assert started(store, id) == [(B, 0)], "what times kernels waits until it is alone"
    assert started(store, id) == []
    monkeypatch.setattr(planning, "times_kernels", lambda row: True)
    id = with_reference(store, comparison(store, A, B, workload=TWO_SIZES))
    assert started(store, id) == [(A, 0)]
    assert started(store, id) == []


@pytest.mark.usefixtures("twelve_cores")
def test_a_build_that_would_only_wait_comes_after_those_with_work_of_their_own(store: Store) -> None:
    torchscript, onnx = f"{PRUNED} > trace > torchscript", f"{PRUNED} > onnxruntime"
    id = modules(store, torchscript, onnx, "prune-magnitude > eager", "half > eager")
    assert started(store, id) == [(torchscript, 0), ("prune-magnitude > eager", 0), ("half > eager", 0)]


@pytest.mark.usefixtures("twelve_cores")
def test_a_build_that_would_only_wait_takes_a_place_that_nobody_needs(store: Store) -> None:
    torchscript, onnx = f"{PRUNED} > trace > torchscript", f"{PRUNED} > onnxruntime"
    id = modules(store, torchscript, onnx)
    assert started(store, id) == [(torchscript, 0), (onnx, 0)]


@pytest.mark.usefixtures("twelve_cores")
def test_pruning_and_training_are_shared_between_batch_sizes(store: Store) -> None:
    static = f"{PRUNED} > onnxruntime [static]"
    id = modules(store, static, "eager", "half > eager")
    assert started(store, id) == [(static, 1), ("eager", 0), ("half > eager", 0)]
    state = store.state(id)
    row = next(each for each in state.variants if each.variant.label == static)
    assert planning.shared_steps(row, 1, row, 8) == 2, "the export is one batch size's own"
    assert planning.shared_steps(row, 1, row, 1) == 3
    assert planning.waits(row, 8, row, 1, behind=1)
    assert not planning.waits(row, 8, row, 1, behind=2)


def test_one_compiler_cache_is_filled_by_one_build_unless_batch_sizes_are_apart(store: Store) -> None:
    id = modules(store, "torch-compile", "trace > libtorch")
    compiled, program = store.state(id).variants
    assert not planning.waits(compiled, 8, compiled, 1, behind=0), "there is no step to wait for"
    assert planning.waits(program, 8, program, 1, behind=1)


@pytest.mark.usefixtures("twelve_cores")
def test_a_free_place_is_taken_while_the_slowest_build_still_runs(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = with_reference(store, comparison(store, A, B, "onnxruntime(graph_optimization=none)", f"{B} [static]"))
    lane = Lane(store, queue_of(store, id), "cpu", threading.Event())
    names = {each.id: each.variant.label for each in store.variants(id)}
    last_began = threading.Event()
    order: list[str] = []

    def launched(work: Work, turn: Turn | None) -> Outcome:
        label = names[str(work.phase.variant_id)]
        order.append(label)
        if label == f"{B} [static]":
            last_began.set()
        if label == A:
            assert last_began.wait(20), "the fourth build waits for the first to end"
        return fine(work.phase)

    monkeypatch.setattr(lane, "launched", launched)
    assert lane.step()
    assert sorted(order) == sorted(names.values())
    assert next(wanted(store.state(id))).kind == "measure"
