"""Top-1 accuracy on labelled data, or agreement with the reference's choice where there are no labels."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic

import numpy as np

from engine.data.prepared import Prepared
from engine.errors import BadInput
from engine.measure.inputs import data_call
from engine.measure.scores import classes, rows, scores_index, top1
from engine.measure.sequence import call_size
from engine.measurement import Accuracy
from engine.runtimes.base import Session
from engine.spec import ModelSpec
from engine.stats import encode_flags, wilson

BUDGET_S = 60.0
UNSCORED = -2


@dataclass(frozen=True)
class Scored:
    """The scores of the first samples of a data set in its shuffled order; `order` are their indices."""

    scores: np.ndarray
    order: np.ndarray


def score(
    session: Session, spec: ModelSpec, batch_size: int, data: Prepared, *, seed: int, budget_s: float = BUDGET_S
) -> Scored:
    """Run the data set through a session and keep the class scores.

    Samples are taken in a seeded shuffled order, the same for every variant, so that a model too
    slow for all of them within `budget_s` seconds still sees a fair part, and pairs with others.
    Raises BadInput when no output holds class scores.
    """
    size = call_size(spec, batch_size)
    order = np.random.default_rng(seed).permutation(len(data))
    found: list[np.ndarray] = []
    done = 0
    began = monotonic()
    while done < len(order) and (not found or monotonic() - began < budget_s):
        chosen = order[done : done + size]
        session.bind(data_call(spec, data, np.resize(chosen, size)))
        session.run()
        session.synchronize()
        outputs = session.fetch()
        index = scores_index(spec, outputs)
        if index is None or len(np.atleast_1d(outputs[index])) != size:
            raise BadInput(
                "No output of this model holds one row of class scores for each sample.",
                "Set the task to classification and name the output with the scores on the Models page.",
            )
        found.append(np.array(rows(outputs[index]))[: len(chosen)])
        done += len(chosen)
    return Scored(np.concatenate(found), order[:done])


def check_labels(labels: np.ndarray, scores: np.ndarray) -> None:
    """Raise BadInput when labels name classes that the scores don't have."""
    known = classes(scores)
    if known is not None and len(labels) and (int(labels.max()) >= known or int(labels.min()) < 0):
        raise BadInput(
            f"The data set's labels go from {int(labels.min())} to {int(labels.max())} "
            f"and the model tells {known} classes apart.",
            "Check the label column, or the order of the classes.",
        )


def judge(scored: Scored, labels: np.ndarray | None, reference: np.ndarray | None) -> Accuracy:
    """Accuracy where there are labels, else agreement with the reference's classes.

    `labels` and `reference` are in the data set's order; a reference that ran out of time has
    UNSCORED where it has no class. Raises BadInput where neither is there or the labels don't fit.
    """
    if labels is not None:
        check_labels(labels, scored.scores)
        expected, kind = labels[scored.order], "accuracy"
    elif reference is not None:
        expected, kind = reference[scored.order], "agreement"
    else:
        raise BadInput("There are neither labels nor classes of the reference to compare with.", "Add labels.")
    known = expected != UNSCORED
    correct = (top1(scored.scores) == expected)[known]
    if not len(correct):
        raise BadInput("The reference scored none of these samples in time.", "Add labels, or choose fewer samples.")
    low, high = wilson(int(correct.sum()), len(correct))
    return Accuracy(
        value=float(correct.mean()),
        low=low,
        high=high,
        samples=len(correct),
        kind="accuracy" if kind == "accuracy" else "agreement",
        correct=encode_flags(correct),
    )


def predictions(scored: Scored, samples: int) -> np.ndarray:
    """The class of every sample in the data set's order, UNSCORED where time ran out."""
    found = np.full(samples, UNSCORED, dtype=np.int64)
    found[scored.order] = top1(scored.scores)
    return found
