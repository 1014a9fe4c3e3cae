"""What training minimizes, and how its result is judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch.nn import functional

from engine.data.splits import UNLABELLED
from engine.training.tensors import Batch, Tensors, scores_of


class Objective(Protocol):
    """A loss of a module on one batch."""

    def __call__(self, module: torch.nn.Module, batch: Batch) -> torch.Tensor: ...


@dataclass(frozen=True)
class Classification:
    """Cross-entropy with the labels; samples without one don't count.

    `index` is the output with the scores. A model that ends in a softmax is recognised.
    """

    index: int = 0
    smoothing: float = 0.0

    def __call__(self, module: torch.nn.Module, batch: Batch) -> torch.Tensor:
        return label_loss(scores_of(module, batch, self.index), batch.labels, self.smoothing)


def label_loss(scores: torch.Tensor, labels: torch.Tensor, smoothing: float = 0.0) -> torch.Tensor:
    """Cross-entropy over the labelled samples; 0 when there are none. One score is a logit of class 1."""
    known = labels != UNLABELLED
    if not bool(known.any()):
        return scores.sum() * 0.0
    scores, labels = scores[known].float(), labels[known]
    if scores.shape[1] == 1:
        return functional.binary_cross_entropy_with_logits(scores[:, 0], labels.float())
    return functional.cross_entropy(log_scores(scores), labels, label_smoothing=smoothing)


def log_scores(scores: torch.Tensor) -> torch.Tensor:
    """Scores as logits: probabilities (every row sums to 1, none negative) go through a logarithm."""
    with torch.no_grad():
        sums = scores.sum(1)
        probabilities = bool((scores >= 0).all()) and bool(torch.allclose(sums, torch.ones_like(sums), atol=1e-3))
    return scores.clamp_min(1e-8).log() if probabilities else scores


def predicted(scores: torch.Tensor) -> torch.Tensor:
    """The class of each sample."""
    return (scores[:, 0] > 0).long() if scores.shape[1] == 1 else scores.argmax(1)


@dataclass(frozen=True)
class Judgement:
    """Loss and accuracy (None without labels) on a split; larger `rank` is better."""

    loss: float
    accuracy: float | None

    @property
    def rank(self) -> tuple[float, float]:
        return (0.0 if self.accuracy is None else self.accuracy, -self.loss)


@torch.no_grad()
def judge(
    module: torch.nn.Module, data: Tensors, objective: Objective, index: int, *, device: str, batch_size: int = 256
) -> Judgement:
    """Judge a module, in eval mode, on a split."""
    total, right, labelled = 0.0, 0, 0
    for batch in data.batches(batch_size, device):
        total += float(objective(module, batch)) * len(batch)
        known = batch.labels != UNLABELLED
        if bool(known.any()):
            found = predicted(scores_of(module, batch, index))
            right += int((found[known] == batch.labels[known]).sum())
            labelled += int(known.sum())
    return Judgement(total / max(1, len(data)), right / labelled if labelled else None)
