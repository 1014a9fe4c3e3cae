"""A prepared split as tensors, in the order of the model's inputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from engine.data.splits import UNLABELLED
from engine.errors import BadInput
from engine.spec import ModelSpec
from engine.steps.base import Samples
from engine.torch_bridge import flatten, positional


@dataclass(frozen=True)
class Batch:
    """Inputs in the model's order (constants included) and class numbers, -1 where there is none."""

    inputs: tuple[Any, ...]
    labels: torch.Tensor

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Tensors:
    """A split on the host. `batches` gives parts of it on a device."""

    inputs: tuple[Any, ...]
    labels: torch.Tensor

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def labelled(self) -> bool:
        """Whether any sample has a label."""
        return bool((self.labels != UNLABELLED).any())

    def take(self, indices: torch.Tensor, device: str = "cpu") -> Batch:
        """The samples at `indices`, on `device`."""
        inputs = tuple(each[indices].to(device) if isinstance(each, torch.Tensor) else each for each in self.inputs)
        return Batch(inputs, self.labels[indices].to(device))

    def batches(self, size: int, device: str = "cpu", order: torch.Tensor | None = None) -> Iterator[Batch]:
        """Batches of at most `size`, in the given order; a last batch of one is left out of training."""
        for indices in (torch.arange(len(self)) if order is None else order).split(size):
            if order is None or len(indices) > 1 or len(self) == 1:
                yield self.take(indices, device)


def tensors_of(samples: Samples, spec: ModelSpec) -> Tensors:
    """A prepared split as tensors; without labels, all are -1."""
    inputs = positional(samples.feeds, spec)
    labels = torch.full((len(samples),), UNLABELLED) if samples.labels is None else torch.from_numpy(samples.labels)
    return Tensors(inputs, labels)


def require_labels(data: Tensors, what: str) -> None:
    """Raise BadInput when no sample has a label."""
    if not data.labelled:
        raise BadInput(
            f"{what} needs labels, and the data set has none that fit the model's scores.",
            "Choose a labelled data set, or use distillation, which learns from a teacher instead.",
        )


def scores_index(spec: ModelSpec) -> int:
    """Which of the model's outputs holds the scores."""
    names = [each.name for each in spec.outputs]
    return names.index(spec.preprocessing.scores) if spec.preprocessing.scores in names else 0


def scores_of(module: torch.nn.Module, batch: Batch, index: int) -> torch.Tensor:
    """The scores, (samples, classes), that a module gives for a batch; raises BadInput on another shape."""
    outputs = flatten(module(*batch.inputs))
    scores = outputs[index] if index < len(outputs) else None
    if scores is None or scores.ndim != 2:
        shape = "nothing" if scores is None else "×".join(map(str, scores.shape))
        raise BadInput(
            f"The model's output {index + 1} is {shape}, not scores for each class.",
            "Name the output that holds the scores on the Models page; other tasks can't be trained here.",
        )
    return scores
