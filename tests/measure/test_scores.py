"""Which output holds class scores, and what they choose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.measure.scores import agreement, classes, near_ties, scores_index, top1
from engine.spec import ModelSpec, Preprocessing, TensorSpec

FEATURES = np.zeros((4, 2, 3, 3), np.float32)
SCORES = np.zeros((4, 10), np.float32)
CHOSEN = np.array([3, 1, 2, 0])
SPEC = ModelSpec(
    "m", "onnx", (), tuple(TensorSpec(name, "float32") for name in ("features", "a", "b")), task="classification"
)


def test_the_first_output_shaped_like_scores_is_taken() -> None:
    assert scores_index(SPEC, [FEATURES, SCORES, SCORES]) == 1


def test_a_named_output_is_taken_if_it_fits() -> None:
    named = replace(SPEC, preprocessing=Preprocessing(scores="b"))
    assert scores_index(named, [FEATURES, SCORES, SCORES]) == 2
    assert scores_index(named, [SCORES, SCORES, FEATURES]) is None
    assert scores_index(named, [SCORES]) is None


@pytest.mark.parametrize("task", ["embedding", "detection", "other"])
def test_top1_means_nothing_for_other_tasks(task: str) -> None:
    assert scores_index(replace(SPEC, task=task), [SCORES]) is None  # type: ignore[arg-type]


def test_chosen_classes_serve_where_there_are_no_scores() -> None:
    assert scores_index(SPEC, [CHOSEN, SCORES]) == 1
    assert scores_index(SPEC, [CHOSEN]) == 0
    assert top1(CHOSEN).tolist() == [3, 1, 2, 0]
    assert (classes(CHOSEN), classes(SCORES), classes(SCORES[:, :1])) == (None, 10, 2)
    assert agreement(CHOSEN, np.array([3, 1, 2, 9])) == 0.75
    assert near_ties(CHOSEN, CHOSEN + 1, 1.0) == 0


def test_single_scores_are_logits_or_probabilities() -> None:
    assert top1(np.array([[-1.0], [0.2], [3.0]])).tolist() == [0, 1, 1]
    assert top1(np.array([0.1, 0.4, 0.9])).tolist() == [0, 0, 1]
    assert agreement(np.array([-0.2, 0.3, 2.0]), np.array([0.1, 0.3, 0.9])) == pytest.approx(2 / 3)


def test_nan_scores_choose_nothing() -> None:
    assert top1(np.array([[0.0, np.nan], [1.0, 0.0]])).tolist() == [-1, 0]
