"""What the document says about measurements whose truth is known."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from engine.document import Result
from engine.measurement import Accuracy, BuildResult, Measurement, Sizes
from engine.spec import Recipe, Use, Variant, Workload, to_json
from engine.stats import encode_flags
from engine.store import PhaseRow, Store
from engine.summary import covered
from engine.worker.protocol import Outcome
from tests.schedule.made import SPEC, comparison, fine, measurement, variants, work_through
from tests.store.conftest import home, store

__all__ = ["home", "store"]
A, B = "onnxruntime", "onnxruntime(graph_optimization=basic)"
INT8 = "dynamic-int8 > onnxruntime"


def answered(store: Store, *recipes: str, rounds: int = 3, **times: float) -> list[Result]:
    """The first result of every variant, each with a latency of its own; keyed v0, v1, …"""
    id = comparison(store, *recipes, workload=Workload(rounds=rounds))
    order = {each.id: f"v{each.position}" for each in store.variants(id)}

    def answer(phase: PhaseRow) -> Outcome:
        if phase.kind == "measure":
            name = order[phase.variant_id or ""]
            found = measurement(1, times[name] * (1.5 if phase.slot else 1.0), phase.round)
            return Outcome("ok", {"measurements": to_json([found])}, seconds=1.0)
        return fine(phase)

    work_through(store, id, answer)
    return [each.results[0] for each in store.document(id).variants]


def test_a_speed_up_is_against_both_runs_of_the_baseline(store: Store) -> None:
    baseline, faster = answered(store, A, B, v0=4.0, v1=2.0)
    assert baseline.speedup.get("baseline") is None
    assert faster.speedup["baseline"].value == pytest.approx((4.0 + 6.0) / 2 / 2.0, rel=0.01)
    assert faster.speedup["baseline"].different is True
    assert "drifted by 50" in baseline.unstable
    assert faster.unstable == ""
    assert baseline.latency_ms["resident"].rounds == 3
    assert baseline.latency_ms["resident"].count == 300


def test_one_round_has_no_interval(store: Store) -> None:
    _, other = answered(store, A, B, rounds=1, v0=4.0, v1=2.0)
    assert "drifted by 50" in other.unstable
    assert other.latency_ms["resident"].low is None
    assert other.speedup["baseline"].low is None
    assert other.speedup["baseline"].different is None


def test_the_same_precision_is_compared_with_the_best_plain_run(store: Store) -> None:
    id = comparison(store, A, B, INT8, workload=Workload(rounds=1))
    precisions = {each.id: "int8" if each.position == 2 else "fp32" for each in store.variants(id)}

    def answer(phase: PhaseRow) -> Outcome:
        if phase.kind == "build":
            built = BuildResult("ok", sizes=Sizes(100, 50), details={"precision": precisions[phase.variant_id or ""]})
            return Outcome("ok", to_json(built))
        return fine(phase)

    work_through(store, id, answer)
    found = store.document(id)
    assert [each.precision for each in found.variants] == ["fp32", "fp32", "int8"]
    assert found.variants[0].results[0].speedup["same-precision"].against == B
    assert "same-precision" not in found.variants[2].results[0].speedup
    assert found.variants[2].results[0].size_bytes == Sizes(100, 50)


def test_accuracy_is_compared_on_the_same_samples(store: Store) -> None:
    id = comparison(store, A, B, workload=Workload(rounds=1))
    right = np.ones(100, dtype=bool)
    wrong = right.copy()
    wrong[:7] = False
    flags = {each.id: wrong if each.position else right for each in store.variants(id)}

    def answer(phase: PhaseRow) -> Outcome:
        if phase.kind != "measure":
            return fine(phase)
        mine = flags[phase.variant_id or ""]
        accuracy = Accuracy(float(mine.mean()), 0.0, 1.0, 100, correct=encode_flags(mine))
        return Outcome("ok", {"measurements": to_json([replace(measurement(1, 1.0), accuracy=accuracy)])})

    work_through(store, id, answer)
    difference = store.document(id).variants[1].results[0].accuracy_difference
    assert difference is not None
    assert difference.value == pytest.approx(-0.07)
    assert difference.low is not None
    assert difference.high is not None
    assert difference.low < -0.07 < difference.high < 0


def test_the_worst_round_decides_the_status_and_the_figures_stay(store: Store) -> None:
    id = comparison(store, A, workload=Workload(rounds=2))

    def answer(phase: PhaseRow) -> Outcome:
        if phase.kind == "measure" and phase.round == 1:
            return Outcome("ok", {"measurements": to_json([Measurement(1, 1, "oom", "Memory ran out.", "Less.")])})
        return fine(phase)

    work_through(store, id, answer)
    result = store.document(id).variants[0].results[0]
    assert (result.status, result.reason, result.hint) == ("oom", "Memory ran out.", "Less.")
    assert result.latency_ms["resident"].p50 == pytest.approx(2.0, rel=0.01)


def test_a_comparison_outlives_its_plugins(store: Store) -> None:
    model = store.add_model(SPEC, store.settings.uploads / "tiny")
    gone = Variant(Recipe((Use("no-such-step"),), Use("no-such-runtime")), label="Gone", formats=("onnx",))
    id = store.create_comparison("Old", model, Workload(), [*variants(A), gone])
    work_through(store, id, fine)
    document = store.document(id)
    assert document.variants[1].recipe == "no-such-step > no-such-runtime"
    assert document.variants[1].results[0].status == "ok"


def test_time_that_workers_share_counts_once() -> None:
    assert covered([(10.0, 14.0), (11.0, 12.0), (13.0, 16.0), (20.0, 21.0)]) == 7.0
    assert covered([]) == 0.0


def test_an_unfinished_comparison_has_a_document_too(store: Store) -> None:
    id = comparison(store, A, B)
    document = store.document(id)
    assert {each.status for variant in document.variants for each in variant.results} == {"queued"}
    assert document.finished == ""


def test_a_document_names_no_folder_of_this_machine(store: Store) -> None:
    id = comparison(store, A)
    work_through(store, id, fine)
    assert "artifact" not in store.document(id).variants[0].results[0].details
    assert "/nowhere" not in json.dumps(to_json(store.document(id)))
