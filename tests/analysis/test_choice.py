"""Pareto front, constraints, headline and cards."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from engine.analysis import numbers
from engine.analysis.choice import Constraints, balanced, candidates, fastest, meets, smallest
from engine.analysis.headline import baseline_row, cards, headline
from engine.analysis.pareto import front
from engine.analysis.speedup import compared
from engine.analysis.suspects import suspects
from engine.document import ComparisonDocument
from engine.frames import at_batch
from engine.metrics import side_by_side
from tests.documents import gpu_document, quick_document


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return at_batch(compared(gpu_document(), "resident"), 1)


def names(rows: pd.DataFrame, marked: pd.Series) -> set[str]:
    return set(rows.loc[marked, "variant"])


def test_the_front_holds_what_nothing_beats(rows: pd.DataFrame) -> None:
    assert names(rows, front(rows, ["latency_ms", "accuracy"])) == {"trt", "ort"}


def test_a_suspect_variant_is_never_on_the_front(rows: pd.DataFrame) -> None:
    assert rows.set_index("variant").loc["fp8", "latency_ms"] == rows["latency_ms"].min()
    assert "fp8" not in names(rows, front(rows, ["latency_ms", "file_bytes"]))


def test_ties_stay_on_the_front_together(rows: pd.DataFrame) -> None:
    twice = pd.concat([rows[rows["variant"] == "trt"]] * 2, ignore_index=True)
    assert front(twice, ["latency_ms", "accuracy"]).tolist() == [True, True]


def test_constraints_keep_what_meets_all_of_them(rows: pd.DataFrame) -> None:
    allowed = meets(rows, Constraints(max_latency_ms=0.6, max_bytes=51_500_000))
    assert names(rows, allowed) == {"ort", "fp8"}
    assert set(candidates(rows, Constraints(max_latency_ms=0.6, max_bytes=51_500_000))["variant"]) == {"ort"}


def test_a_missing_figure_meets_no_constraint(rows: pd.DataFrame) -> None:
    assert "aoti" not in names(rows, meets(rows, Constraints(max_latency_ms=1e9)))


def test_winners(rows: pd.DataFrame) -> None:
    able = candidates(rows)
    best, small, balance = fastest(able), smallest(able), balanced(able, baseline_row(rows))
    assert best is not None
    assert small is not None
    assert balance is not None
    assert (best["variant"], small["variant"], balance["variant"]) == ("trt", "ort", "trt")


def test_balance_gives_up_no_more_than_a_point_of_accuracy(rows: pd.DataFrame) -> None:
    worse = rows.copy()
    worse.loc[worse["variant"] == "trt", "accuracy"] -= 0.02
    balance = balanced(candidates(worse), baseline_row(worse))
    assert balance is not None
    assert balance["variant"] == "ort"


def test_the_headline_says_gain_loss_and_what_was_set_aside(rows: pd.DataFrame) -> None:
    said = headline(rows)
    assert said.startswith("TensorRT FP16 is 8.48× faster (")
    assert "1.98× smaller, with no difference in accuracy" in said
    assert "1 suspect, 1 failed, 1 not supported here" in said


def test_no_difference_is_said_in_words(rows: pd.DataFrame) -> None:
    two = rows[rows["variant"].isin(["eager", "half"])].copy()
    two.loc[two["variant"] == "half", ["latency_ms", "different"]] = [3.38, False]
    assert headline(two).startswith("No variant is measurably faster than PyTorch FP32: no difference")


def test_one_round_claims_no_interval() -> None:
    rows = at_batch(compared(quick_document(), "resident"), 1)
    assert "no interval" in headline(rows)
    assert "no interval" in cards(rows)[0].note
    assert cards(rows)[2].title == "Closest to the original"


def test_weak_evidence_stands_beside_the_number() -> None:
    rows = at_batch(compared(quick_document(), "resident"), 1)
    assert "random inputs only" in cards(rows)[0].note


def test_nothing_measured_is_said(rows: pd.DataFrame) -> None:
    document = gpu_document()
    waiting = replace(document, variants=tuple(replace(each, results=()) for each in document.variants))
    assert headline(at_batch(compared(waiting, "resident"), 1)).startswith("Nothing is measured yet")
    assert cards(at_batch(compared(waiting, "resident"), 1))[0].variant == ""


def test_all_failed_is_said() -> None:
    document: ComparisonDocument = gpu_document()
    only = tuple(each for each in document.variants if each.id in ("int8", "aoti"))
    rows = at_batch(compared(replace(document, variants=only), "resident"), 1)
    assert headline(rows).startswith("No variant could be measured")


def test_constraints_that_nothing_meets(rows: pd.DataFrame) -> None:
    assert "no winner" in headline(rows, Constraints(max_latency_ms=0.01))


def test_a_stable_variant_wins_over_an_unstable_one_that_is_hardly_faster(rows: pd.DataFrame) -> None:
    changed = rows.copy()
    winner = changed["variant"] == "trt"
    changed.loc[winner, "unstable"], changed.loc[winner, "variation"] = "Calls vary by 60.0% (limit 2.5%).", 0.6
    best = fastest(candidates(changed))
    assert best is not None
    assert best["variant"] == "ort"


def test_an_unstable_winner_says_so_where_its_number_stands(rows: pd.DataFrame) -> None:
    changed = rows.assign(unstable="The baseline drifted by 80.0% within a round (limit 3%).")
    assert "than PyTorch FP32 in unstable timings" in headline(changed)
    assert "measure again" not in headline(changed), "the interval says by how much"
    assert "measure again" in headline(changed.assign(speedup_low=float("nan")))
    card = cards(changed)[0]
    assert card.compared.endswith(", unstable")
    assert "unstable: the baseline drifted by 80.0%" in card.note


def test_without_an_eligible_row_the_front_is_empty(rows: pd.DataFrame) -> None:
    assert not front(rows.assign(status="suspect"), ["latency_ms", "accuracy"]).any()


@pytest.mark.parametrize(("gain", "said"), [(12.4, "about 12× faster"), (1.8, "faster")])
def test_unstable_timings_without_an_interval_give_a_rough_ratio_where_it_is_large(
    rows: pd.DataFrame, gain: float, said: str
) -> None:
    unstable = "The baseline drifted by 80.0% within a round (limit 3%)."
    changed = rows.assign(unstable=unstable, speedup_low=float("nan"), speedup=gain)
    assert f"TensorRT FP16 is {said} than PyTorch FP32 in unstable timings" in headline(changed)
    assert cards(changed)[0].compared == f"{said}, unstable"


def test_without_a_data_set_the_error_of_the_outputs_stands_in_for_accuracy(rows: pd.DataFrame) -> None:
    nothing = rows.assign(accuracy=float("nan"), accuracy_kind="")
    assert side_by_side(rows)[1] == "accuracy"
    assert side_by_side(nothing)[1] == "relative_l2"
    card = cards(nothing)[2]
    able = candidates(nothing)
    closest = able[~able["baseline"].astype(bool)]["relative_l2"].min()
    assert (card.title, card.figure) == ("Closest to the original", numbers.error(closest))


def test_suspects_are_named_with_their_reason(rows: pd.DataFrame) -> None:
    assert [label for label, _ in suspects(rows)] == ["TensorRT FP8"]
    assert "Relative error 3.4" in suspects(rows)[0][1]


@pytest.mark.parametrize(("low", "winner"), [(0.401, "ort"), (0.4035, "trt")])
def test_of_variants_that_cannot_be_told_apart_the_most_accurate_wins(
    rows: pd.DataFrame, low: float, winner: str
) -> None:
    changed = rows.set_index("variant", drop=False)
    changed.loc["trt", ["latency_ms", "latency_low", "latency_high", "accuracy"]] = [0.400, 0.397, 0.403, 0.80]
    changed.loc["ort", ["latency_ms", "latency_low", "latency_high", "accuracy"]] = [0.404, low, 0.409, 0.81]
    best = fastest(candidates(changed))
    assert best is not None
    assert best["variant"] == winner
