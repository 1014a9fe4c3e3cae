"""What two answers to the same input say: the likeliest classes, and how far the outputs differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.measure.outputs import Comparison, compare_output
from engine.measure.scores import are_classes, are_probabilities, rows, scores_index
from engine.measure.sequence import Outputs, output_names
from engine.spec import ModelSpec

SUM_TOLERANCE = 1e-2


@dataclass(frozen=True)
class Prediction:
    """Class probabilities of one sample; `label` is of the likeliest class."""

    probabilities: tuple[float, ...]
    top: int
    label: str


def prediction(outputs: Sequence[np.ndarray], spec: ModelSpec) -> Prediction | None:
    """What a classifier says of the first sample, or None where the model is no classifier.

    Scores that are no probabilities go through a softmax, a single one through a sigmoid.
    """
    index = scores_index(spec, outputs)
    if index is None:
        return None
    table = rows(outputs[index])
    if are_classes(table):
        chosen = int(table[0])
        return Prediction((), chosen, class_name(spec, chosen))
    scores = np.atleast_1d(table[0]).astype(np.float64)
    if not np.isfinite(scores).all():
        return None
    found = two_classes(scores) if scores.size == 1 else softmax(scores)
    top = int(found.argmax())
    return Prediction(tuple(found.tolist()), top, class_name(spec, top))


def two_classes(score: np.ndarray) -> np.ndarray:
    """The probabilities of both classes from one score."""
    positive = float(score[0]) if are_probabilities(score) else 1.0 / (1.0 + float(np.exp(-score[0])))
    return np.array([1.0 - positive, positive])


def softmax(scores: np.ndarray) -> np.ndarray:
    """Probabilities from scores; what already are probabilities stays."""
    if (scores >= 0).all() and abs(scores.sum() - 1.0) < SUM_TOLERANCE:
        return scores
    powers = np.exp(scores - scores.max())
    return np.asarray(powers / powers.sum())


def class_name(spec: ModelSpec, number: int) -> str:
    """A class by its label, where the label map is known."""
    labels = spec.preprocessing.labels
    return labels[number] if 0 <= number < len(labels) else f"class {number}"


def likeliest(predictions: Sequence[Prediction], count: int) -> list[int]:
    """The classes to show for all predictions alike: those that any of them ranks first, in the first one's order."""
    if not all(each.probabilities for each in predictions):
        return []
    peak = np.max([each.probabilities for each in predictions], axis=0)
    chosen = np.argsort(-peak, kind="stable")[:count]
    return sorted(chosen.tolist(), key=lambda number: -predictions[0].probabilities[number])


def differences(reference: Sequence[np.ndarray], output: Sequence[np.ndarray], spec: ModelSpec) -> list[Comparison]:
    """Each output of the second against the first's; nothing where their numbers differ."""
    if len(reference) != len(output):
        return []
    mine, theirs = (Outputs(tuple((each,) for each in side)) for side in (reference, output))
    return [compare_output(mine, theirs, index, name) for index, name in enumerate(output_names(spec, len(reference)))]
