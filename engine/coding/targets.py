"""Batches of training samples, moved by a pixel where they are images, with their teacher's scores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn import functional

from engine.torch_bridge import flatten
from engine.training.tensors import Batch, Tensors

MOVES = tuple((rows, columns) for rows in (0, 1, 2) for columns in (0, 1, 2))
LIMIT_BYTES = 1 << 29


@dataclass
class Lessons:
    """Shuffled batches of a training split together with what the teacher says about each sample.

    `shift` moves images by up to a pixel. What is taught of such an image, wherever it was moved, is the mean
    of the teacher's scores over all its moves: surer than any one of them. The teacher is asked once for each
    sample and remembered while that takes no more than 512 MiB; beyond, it is asked about each batch as it is.
    When the teacher is not `needed`, nobody asks it and its scores are empty.
    """

    teacher: nn.Module
    data: Tensors
    index: int
    shift: bool
    device: str = "cpu"
    needed: bool = True
    known: torch.Tensor | None = field(default=None)
    scores: torch.Tensor | None = field(default=None)

    @property
    def moving(self) -> bool:
        """Whether there are images to move."""
        return self.shift and is_image(self.data.inputs[0])

    def batches(self, size: int, generator: torch.Generator) -> Iterator[tuple[Batch, torch.Tensor]]:
        """Batches in random order, each with the teacher's scores (samples, classes)."""
        order = torch.randperm(len(self.data), generator=generator)
        for indices in order.split(min(size, len(self.data))):
            if len(indices) == 1 < len(self.data):
                continue
            batch = self.data.take(indices, self.device)
            if self.moving:
                moves = torch.randint(0, len(MOVES), (len(indices),), generator=generator)
                batch = Batch((moved(batch.inputs[0], moves), *batch.inputs[1:]), batch.labels)
            yield batch, self.taught(batch, indices)

    @torch.no_grad()
    def taught(self, batch: Batch, indices: torch.Tensor) -> torch.Tensor:
        """The teacher's scores for a batch, from memory where it was asked before."""
        if not self.needed:
            return torch.empty(0)
        if self.known is None or self.scores is None:
            found = self.asked(batch)
            if len(self.data) * found.shape[1] * 4 > LIMIT_BYTES:
                return found
            self.known = torch.zeros(len(self.data), dtype=torch.bool)
            self.scores = torch.zeros(len(self.data), found.shape[1])
        new = indices[~self.known[indices]]
        if len(new):
            self.scores[new] = self.mean_over_moves(self.data.take(new, self.device)).cpu()
            self.known[new] = True
        return self.scores[indices].to(self.device)

    def mean_over_moves(self, batch: Batch) -> torch.Tensor:
        """The teacher's mean scores over the moves of each image; its scores of anything else."""
        if not self.moving:
            return self.asked(batch)
        total = torch.zeros(())
        for number in range(len(MOVES)):
            images = moved(batch.inputs[0], torch.full((len(batch),), number))
            total = total + self.asked(Batch((images, *batch.inputs[1:]), batch.labels))
        return total / len(MOVES)

    def asked(self, batch: Batch) -> torch.Tensor:
        """The teacher's scores for a batch as it is."""
        return flatten(self.teacher(*batch.inputs))[self.index].float()


def is_image(inputs: object) -> bool:
    """Whether an input is (samples, channels, height, width) of floats."""
    return isinstance(inputs, torch.Tensor) and inputs.ndim == 4 and inputs.is_floating_point()


def moved(images: torch.Tensor, moves: torch.Tensor) -> torch.Tensor:
    """Each image moved by its own entry of MOVES; the border repeats the image's first pixel."""
    height, width = images.shape[2:]
    padded = functional.pad(images, (1, 1, 1, 1), mode="replicate")
    result = torch.empty_like(images)
    for number, (row, column) in enumerate(MOVES):
        chosen = torch.nonzero(moves == number)[:, 0].to(images.device)
        result[chosen] = padded[chosen, :, row : row + height, column : column + width]
    return result
