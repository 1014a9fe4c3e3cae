"""Parity on outputs made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.measure import differences
from engine.measure.parity import Standard, compare
from engine.measure.sequence import Outputs
from engine.measurement import Parity
from engine.worker.batch import OTHER_PRECISION, OTHER_ROUTE, way_out

LOGITS = np.random.default_rng(0).standard_normal((32, 10)).astype(np.float32)


def outputs(*arrays: np.ndarray) -> Outputs:
    return Outputs(tuple((each,) for each in arrays))


def judge(reference: Outputs, found: Outputs, **changes: Any) -> Parity:
    names = [f"y{index}" for index in range(len(reference.calls))]
    settings: dict[str, Any] = {"precision": "fp32", "samples": 32, "evidence": "random", **changes}
    return compare(reference, found, names, Standard(**settings))


def noisy(relative: float, seed: int = 1) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal(LOGITS.shape)
    return np.asarray(LOGITS + noise * relative * np.linalg.norm(LOGITS) / np.linalg.norm(noise), dtype=np.float32)


@pytest.mark.parametrize(
    ("precision", "limit"),
    [("fp32", 1e-4), ("tf32", 5e-3), ("fp16", 2e-2), ("bf16", 2e-2), ("int8", 1e-1), ("fp8", 1e-1)],
)
def test_each_precision_has_its_limit(precision: str, limit: float) -> None:
    assert judge(outputs(LOGITS), outputs(noisy(0.7 * limit)), precision=precision).passed is True
    beyond = judge(outputs(LOGITS), outputs(noisy(1.5 * limit)), precision=precision)
    assert beyond.passed is False
    assert beyond.relative_l2 == pytest.approx(1.5 * limit, rel=0.01)
    assert "relative L2" in beyond.reason


def test_figures_have_known_values() -> None:
    found = judge(outputs(np.array([[3.0, 4.0], [0.0, 0.0]])), outputs(np.array([[3.0, 4.0], [0.5, 0.0]])))
    assert found.relative_l2 == pytest.approx(0.1)
    assert found.snr_db == pytest.approx(20.0)
    assert found.max_abs == 0.5
    assert found.mean_abs == 0.125
    assert found.cosine == pytest.approx(25 / (5 * np.sqrt(25.25)))


def test_identical_outputs_pass() -> None:
    found = judge(outputs(LOGITS), outputs(LOGITS.copy()), scores=0)
    assert (found.passed, found.relative_l2, found.top1_agreement) == (True, 0.0, 1.0)


def test_nan_is_never_passed_and_named() -> None:
    broken = LOGITS.copy()
    broken[3, 2] = np.nan
    found = judge(outputs(LOGITS), outputs(broken), precision="fp16", scores=0)
    assert (found.passed, found.finite) == (False, False)
    assert "y0 has 1 of 320 values that are NaN or infinite" in found.reason


def test_infinities_that_the_reference_has_too_are_fine() -> None:
    masked = LOGITS.copy()
    masked[:, 0] = -np.inf
    assert judge(outputs(masked), outputs(masked.copy())).passed is True
    assert judge(outputs(masked), outputs(LOGITS)).passed is False


def test_the_worst_output_decides() -> None:
    found = judge(outputs(LOGITS, LOGITS), outputs(LOGITS, noisy(0.3)), precision="fp16")
    assert found.passed is False
    assert "y1" in found.reason
    assert found.outputs["y0"] == 0.0
    assert found.relative_l2 == pytest.approx(found.outputs["y1"])


def test_a_missing_output_fails() -> None:
    found = judge(outputs(LOGITS, LOGITS), outputs(LOGITS))
    assert found.passed is False
    assert "1 outputs" in found.reason


@pytest.mark.parametrize("reference", [np.zeros((32, 10)), np.full((32, 10), 3.0), LOGITS * 1e-8])
def test_a_constant_or_tiny_reference_is_no_evidence(reference: np.ndarray) -> None:
    found = judge(outputs(reference), outputs(reference + 0.001), precision="fp16")
    assert (found.passed, found.evidence) == (None, "none")


def test_a_sigmoid_of_far_below_zero_is_rounding_and_no_evidence() -> None:
    """What a text detector gives on noise: a few dozen values of half an FP32 epsilon among zeros."""
    steps = np.random.default_rng(0).integers(0, 4, (32, 1, 8, 8)) * np.finfo(np.float32).eps / 4
    steps[0, 0, 0, 0] = 2e-6
    found = judge(outputs(steps), outputs(np.roll(steps, 1)))
    assert (found.passed, found.evidence) == (None, "none")


@pytest.mark.parametrize(
    ("reference", "output"),
    [
        (LOGITS * 1e-8, np.abs(np.tanh(LOGITS))),
        (np.zeros((32, 10)), np.full((32, 10), 0.5)),
        (np.full((32, 10), 3.0), np.full((32, 10), 4.0)),
        (np.full((32, 1), 7), np.full((32, 1), 3)),
    ],
)
def test_a_reference_that_proves_nothing_right_still_shows_what_is_wrong(
    reference: np.ndarray, output: np.ndarray
) -> None:
    found = judge(outputs(reference), outputs(output), precision="fp16")
    assert found.passed is False
    assert "constant or nearly zero in the original" in found.reason
    assert judge(outputs(reference, LOGITS), outputs(output, LOGITS), precision="fp16").passed is False


def test_a_constant_output_does_not_hide_a_wrong_one() -> None:
    anchors = np.full((32, 4), 7.0)
    assert judge(outputs(anchors, LOGITS), outputs(anchors, noisy(0.5))).passed is False
    assert judge(outputs(anchors, LOGITS), outputs(anchors, LOGITS)).passed is True


def test_nan_is_judged_even_without_evidence() -> None:
    assert judge(outputs(np.zeros((32, 4))), outputs(np.full((32, 4), np.nan))).passed is False


def test_wrong_shape_fails() -> None:
    found = judge(outputs(LOGITS), outputs(LOGITS[:, :9]))
    assert found.passed is False
    assert "32x9 instead of 32x10" in found.reason
    assert way_out(judge(outputs(LOGITS), outputs(LOGITS[:, :9]), precision="int8")) == OTHER_ROUTE
    assert way_out(judge(outputs(LOGITS), outputs(noisy(0.5)), precision="int8")) == OTHER_PRECISION


def test_shapes_that_depend_on_data_are_named() -> None:
    generator = np.random.default_rng(0)
    boxes = [generator.random((count, 4)) for count in (3, 5, 0, 2)]
    same = Outputs((tuple(boxes),))
    assert judge(same, same, samples=4).passed is True
    other = Outputs(((boxes[0], boxes[1][:4], *boxes[2:]),))
    found = judge(same, other, samples=4)
    assert found.passed is False
    assert found.outputs["y0"] == pytest.approx(0.1)
    assert "in 1 of 4 calls; its shape depends on the data" in found.reason


def test_one_box_more_among_many_is_within_a_low_precision() -> None:
    boxes = np.random.default_rng(0).random((50, 4))
    reference = Outputs(((boxes, boxes[:49]),))
    found = judge(reference, Outputs(((boxes, boxes[:48]),)), precision="int8", samples=2)
    assert (found.passed, found.relative_l2) == (True, None)


def test_ten_outputs_of_any_rank() -> None:
    generator = np.random.default_rng(0)
    arrays = [generator.standard_normal((8, *[3] * (index % 4))) for index in range(9)] + [np.array(0.5)]
    found = judge(outputs(*arrays), outputs(*arrays), samples=8)
    assert found.passed is True
    assert len(found.outputs) == 10


def test_integers_and_booleans_are_compared_for_equality() -> None:
    labels = np.arange(200) % 7
    other = labels.copy()
    other[:4] += 1
    assert judge(outputs(labels), outputs(labels.astype(np.int32))).passed is True
    found = judge(outputs(labels), outputs(other))
    assert found.passed is False
    assert found.outputs["y0"] == pytest.approx(0.02)
    assert judge(outputs(labels), outputs(other), precision="int8").passed is True
    flags = np.arange(200) % 2 == 0
    assert judge(outputs(flags), outputs(~flags)).passed is False


def test_top1_on_data_is_judged_without_mercy() -> None:
    scores = np.eye(32, 32) + 1.0
    changed = outputs(np.where(np.arange(32)[:, None] == 0, np.roll(scores, 1, axis=1), scores))
    found = judge(outputs(scores), changed, precision="int8", scores=0, evidence="data")
    assert found.passed is False
    assert found.top1_agreement == pytest.approx(31 / 32)


def test_near_ties_on_random_inputs_do_not_fail() -> None:
    tied = LOGITS.copy()
    tied[0, :2] = [5.0, 5.0005]
    swapped = tied.copy()
    swapped[0, :2] = [5.0005, 5.0]
    random = judge(outputs(tied), outputs(swapped), precision="fp16", scores=0)
    assert random.passed is True
    assert random.top1_agreement == pytest.approx(31 / 32)
    assert judge(outputs(tied), outputs(swapped), precision="fp16", scores=0, evidence="data").passed is False


def test_a_binary_logit_has_a_top1() -> None:
    logit = np.linspace(-3, 3, 32)[:, None]
    found = judge(outputs(logit), outputs(-logit), scores=0, precision="int8")
    assert found.top1_agreement == 0.0


def test_a_stochastic_model_is_held_to_its_own_spread() -> None:
    found = noisy(0.05)
    assert judge(outputs(LOGITS), outputs(found)).passed is False
    assert judge(outputs(LOGITS), outputs(found), spread=0.05).passed is True
    assert judge(outputs(LOGITS), outputs(noisy(0.05)), spread=1.4).passed is None


def test_outputs_that_are_meant_to_differ_are_recorded_not_judged() -> None:
    found = judge(outputs(LOGITS), outputs(noisy(0.5)), lossy="Weights were pruned.")
    assert (found.passed, found.reason) == (None, "Weights were pruned.")
    assert found.relative_l2 == pytest.approx(0.5, rel=0.01)
    assert judge(outputs(LOGITS), outputs(LOGITS * np.nan), lossy="Weights were pruned.").passed is False


def test_large_arrays_are_added_up_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = judge(outputs(LOGITS), outputs(noisy(0.01)))
    monkeypatch.setattr(differences, "PIECE", 7)
    pieces = judge(outputs(LOGITS), outputs(noisy(0.01)))
    assert pieces.relative_l2 == pytest.approx(whole.relative_l2, rel=1e-12)
    assert pieces.max_abs == whole.max_abs
    assert pieces.cosine == pytest.approx(whole.cosine)
