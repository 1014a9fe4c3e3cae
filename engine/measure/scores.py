"""Class scores: which output holds them, the class they choose, and how often two models agree."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.spec import ModelSpec


def scores_index(spec: ModelSpec, outputs: Sequence[np.ndarray]) -> int | None:
    """The output that holds class scores, or None when the model is no classifier.

    `preprocessing.scores` names it; otherwise it is the first floating output shaped like scores:
    (samples, classes), or (samples,) or (samples, 1) for a binary logit; otherwise the first of
    integers (samples,), which are classes already chosen.
    """
    if spec.task != "classification":
        return None
    names = [each.name for each in spec.outputs]
    if spec.preprocessing.scores in names:
        index = names.index(spec.preprocessing.scores)
        fits = index < len(outputs) and (looks_like_scores(outputs[index]) or are_classes(outputs[index]))
        return index if fits else None
    for looks in (looks_like_scores, are_classes):
        for index, each in enumerate(outputs):
            if looks(each):
                return index
    return None


def looks_like_scores(output: np.ndarray) -> bool:
    """Whether an output is floating and has one row of scores for each sample."""
    return bool(np.issubdtype(output.dtype, np.floating)) and rows(output).ndim <= 2 and output.ndim >= 1


def are_classes(output: np.ndarray) -> bool:
    """Whether an output holds one integer for each sample: the class itself."""
    return bool(np.issubdtype(output.dtype, np.integer)) and output.ndim >= 1 and rows(output).ndim == 1


def rows(scores: np.ndarray) -> np.ndarray:
    """Scores without trailing dimensions of size 1, (samples, classes) or (samples,)."""
    while scores.ndim > 1 and scores.shape[-1] == 1:
        scores = scores[..., 0]
    return scores


def classes(scores: np.ndarray) -> int | None:
    """How many classes the scores tell apart; a single logit tells two, chosen classes don't say."""
    table = rows(scores)
    if are_classes(table):
        return None
    return 2 if table.ndim == 1 else int(table.shape[1])


def top1(scores: np.ndarray, probabilities: bool | None = None) -> np.ndarray:
    """The class of each sample, (samples,) of int64; -1 where a score is NaN.

    A single score is a logit, positive for class 1, or a probability when all lie in 0..1 (or as
    `probabilities` says, which keeps two models on one rule).
    """
    table = rows(scores)
    if are_classes(table):
        return table.astype(np.int64)
    if table.ndim == 1:
        if probabilities is None:
            probabilities = are_probabilities(table)
        chosen = (table > (0.5 if probabilities else 0.0)).astype(np.int64)
        return np.where(np.isnan(table), -1, chosen)
    chosen = table.argmax(axis=1).astype(np.int64)
    return np.where(np.isnan(table).any(axis=1), -1, chosen)


def are_probabilities(scores: np.ndarray) -> bool:
    """Whether single scores are probabilities rather than logits."""
    return bool(len(scores)) and bool(np.all((scores >= 0.0) & (scores <= 1.0)))


def agreement(reference: np.ndarray, output: np.ndarray) -> float:
    """The share of samples for which both choose the same class."""
    table = rows(reference)
    rule = are_probabilities(table) if table.ndim == 1 else None
    return float(np.mean(top1(reference, rule) == top1(output, rule))) if len(table) else 1.0


def near_ties(reference: np.ndarray, output: np.ndarray, tolerance: float) -> int:
    """How many samples change class between scores that the reference itself puts side by side.

    Side by side means a gap within twice the allowed error of that sample's scores. On random
    inputs such changes say nothing about the model.
    """
    if are_classes(rows(reference)):
        return 0
    table = rows(reference).astype(np.float64)
    rule = are_probabilities(table) if table.ndim == 1 else None
    mine, theirs = top1(reference, rule), top1(output, rule)
    if table.ndim == 1:
        gap = np.abs(table - (0.5 if rule else 0.0))
        size = np.full(len(table), np.sqrt(np.mean(table**2)))
    else:
        every = np.arange(len(table))
        gap = table[every, mine] - table[every, theirs]
        size = np.sqrt(np.mean(table**2, axis=1))
    return int(np.sum((mine != theirs) & (theirs >= 0) & (gap <= 2 * tolerance * size)))
