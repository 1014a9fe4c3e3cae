"""What a student minimizes: closeness to its teacher, and the labels where there are any.

Soft targets: Hinton et al. 2015, https://arxiv.org/abs/1503.02531. Features are matched by the
similarities between samples, which needs no common width: Tung & Mori 2019,
https://arxiv.org/abs/1907.09682.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from engine.data.splits import UNLABELLED
from engine.errors import BadInput, first_line
from engine.torch_bridge import flatten
from engine.training.objective import label_loss, log_scores
from engine.training.tensors import Batch, Tensors


class Tap:
    """Keeps what goes into one layer during a forward pass."""

    def __init__(self, layer: nn.Module) -> None:
        self.value: torch.Tensor | None = None
        self.handle = layer.register_forward_pre_hook(self.keep)

    def keep(self, _: nn.Module, inputs: tuple[Any, ...]) -> None:
        self.value = inputs[0].flatten(1)

    def close(self) -> None:
        self.handle.remove()


@dataclass
class Distillation:
    """`alpha` of the loss is the teacher's soft targets, the rest the labels; without labels all is the teacher's.

    With `classes` False (embeddings, detectors) every output is matched to the teacher's by its squared
    error instead. `features` weighs how sample similarities before the last layer are matched.
    """

    teacher: nn.Module
    index: int = 0
    temperature: float = 4.0
    alpha: float = 0.7
    classes: bool = True
    features: float = 0.0
    taps: tuple[Tap, Tap] | None = field(default=None)

    def __call__(self, module: nn.Module, batch: Batch) -> torch.Tensor:
        with torch.no_grad():
            targets = flatten(self.teacher(*batch.inputs))
        found = flatten(module(*batch.inputs))
        loss = self.class_loss(found, targets, batch.labels) if self.classes else output_loss(found, targets)
        if self.features and self.taps is not None:
            student, teacher = (each.value for each in self.taps)
            assert student is not None
            assert teacher is not None
            loss = loss + self.features * similarity_loss(student, teacher)
        return loss

    def class_loss(self, found: list[torch.Tensor], targets: list[torch.Tensor], labels: torch.Tensor) -> torch.Tensor:
        """Soft targets and labels, weighed by alpha."""
        scores = found[self.index]
        soft = soft_loss(scores, targets[self.index], self.temperature)
        if not bool((labels != UNLABELLED).any()):
            return soft
        return self.alpha * soft + (1.0 - self.alpha) * label_loss(scores, labels)


def soft_loss(scores: torch.Tensor, targets: torch.Tensor, temperature: float) -> torch.Tensor:
    """Kullback-Leibler divergence from the teacher's to the student's probabilities, both softened."""
    student, teacher = logits(scores) / temperature, logits(targets) / temperature
    divergence = functional.kl_div(
        student.log_softmax(1), teacher.log_softmax(1), reduction="batchmean", log_target=True
    )
    return divergence * temperature**2


def logits(scores: torch.Tensor) -> torch.Tensor:
    """Scores as one logit for each class; a single score is the logit of class 1."""
    scores = scores.float()
    return torch.cat([torch.zeros_like(scores), scores], 1) if scores.shape[1] == 1 else log_scores(scores)


def output_loss(found: list[torch.Tensor], targets: list[torch.Tensor]) -> torch.Tensor:
    """Squared error relative to each output's own size, averaged over the outputs."""
    pairs = [(a.float(), b.float()) for a, b in zip(found, targets, strict=True) if b.is_floating_point()]
    losses = [functional.mse_loss(a, b) / b.pow(2).mean().clamp_min(1e-12) for a, b in pairs]
    return torch.stack(losses).mean()


def similarity_loss(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """How differently two networks see which samples of a batch are alike."""
    mine, theirs = (functional.normalize(each.float() @ each.float().T, dim=1) for each in (student, teacher))
    return functional.mse_loss(mine, theirs) * len(mine)


def limit_labels(data: Tensors, count: int, seed: int) -> Tensors:
    """Keep the labels of `count` samples, chosen at random, and forget the rest; 0 keeps all."""
    if not count or int((data.labels != UNLABELLED).sum()) <= count:
        return data
    known = torch.nonzero(data.labels != UNLABELLED)[:, 0]
    order = torch.randperm(len(known), generator=torch.Generator().manual_seed(seed))
    labels = torch.full_like(data.labels, UNLABELLED)
    labels[known[order[:count]]] = data.labels[known[order[:count]]]
    return Tensors(data.inputs, labels)


def labelled_only(data: Tensors) -> Tensors:
    """The labelled samples, repeated to as many as there were: as many updates, without the unlabelled."""
    known = torch.nonzero(data.labels != UNLABELLED)[:, 0]
    indices = known.repeat(-(-len(data) // len(known)))[: len(data)]
    part = data.take(indices)
    return Tensors(part.inputs, part.labels)


@torch.no_grad()
def gives_classes(teacher: nn.Module, batch: Batch, index: int, task: str) -> bool:
    """Whether the teacher's output is one score for each class, rather than an embedding, boxes or text."""
    outputs = flatten(teacher(*batch.inputs))
    return task not in ("embedding", "detection") and index < len(outputs) and outputs[index].ndim == 2


@torch.no_grad()
def check_match(student: nn.Module, teacher: nn.Module, batch: Batch, index: int, classes: bool) -> None:
    """Raise BadInput when student and teacher don't take the same inputs or give the same outputs."""
    try:
        theirs = [tuple(each.shape[1:]) for each in flatten(teacher(*batch.inputs))]
    except (RuntimeError, TypeError, IndexError) as error:
        raise BadInput(
            f"The teacher does not take the model's inputs: {first_line(error)}.", "Choose another."
        ) from error
    try:
        mine = [tuple(each.shape[1:]) for each in flatten(student(*batch.inputs))]
    except (RuntimeError, TypeError, IndexError) as error:
        raise BadInput(
            f"The student does not take the model's inputs: {first_line(error)}.", "Choose another architecture."
        ) from error
    compared = slice(index, index + 1) if classes else slice(None)
    if mine[compared] != theirs[compared]:
        raise BadInput(
            f"The student gives {mine} for each sample and the teacher {theirs}.",
            'Give the student as many classes, for example arguments="num_classes=10".',
        )
