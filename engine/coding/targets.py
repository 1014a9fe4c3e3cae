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

    The teacher is asked once for each sample and move, and remembered while that takes no more than
    512 MiB; afterwards it costs nothing. `shift` moves images by up to a pixel. When the teacher is not
    `needed`, nobody asks it and its scores are empty.
    """

    teacher: nn.Module
    data: Tensors
    index: int
    shift: bool
    device: str = "cpu"
    needed: bool = True
    known: torch.Tensor | None = field(default=None)
    scores: torch.Tensor | None = field(default=None)

    def batches(self, size: int, generator: torch.Generator) -> Iterator[tuple[Batch, torch.Tensor]]:
        """Batches in random order, each with the teacher's scores (samples, classes)."""
        order = torch.randperm(len(self.data), generator=generator)
        moving = self.shift and is_image(self.data.inputs[0])
        for indices in order.split(min(size, len(self.data))):
            if len(indices) == 1 < len(self.data):
                continue
            batch = self.data.take(indices, self.device)
            moves = torch.zeros(len(indices), dtype=torch.long)
            if moving:
                moves = torch.randint(0, len(MOVES), (len(indices),), generator=generator)
                batch = Batch((moved(batch.inputs[0], moves), *batch.inputs[1:]), batch.labels)
            yield batch, self.taught(batch, indices, moves)

    @torch.no_grad()
    def taught(self, batch: Batch, indices: torch.Tensor, moves: torch.Tensor) -> torch.Tensor:
        """The teacher's scores for a batch, from memory where it was asked before."""
        if not self.needed:
            return torch.empty(0)
        if self.known is None or self.scores is None:
            found = flatten(self.teacher(*batch.inputs))[self.index].float()
            kinds = len(MOVES) if self.shift else 1
            if kinds * len(self.data) * found.shape[1] * 4 <= LIMIT_BYTES:
                self.known = torch.zeros(kinds, len(self.data), dtype=torch.bool)
                self.scores = torch.zeros(kinds, len(self.data), found.shape[1])
                self.remember(found, indices, moves, torch.arange(len(indices)))
            return found
        new = torch.nonzero(~self.known[moves, indices])[:, 0]
        if len(new):
            chosen = new.to(batch.labels.device)
            inputs = tuple(each[chosen] if isinstance(each, torch.Tensor) else each for each in batch.inputs)
            self.remember(flatten(self.teacher(*inputs))[self.index].float(), indices, moves, new)
        return self.scores[moves, indices].to(self.device)

    def remember(self, found: torch.Tensor, indices: torch.Tensor, moves: torch.Tensor, part: torch.Tensor) -> None:
        assert self.known is not None
        assert self.scores is not None
        self.scores[moves[part], indices[part]] = found.cpu()
        self.known[moves[part], indices[part]] = True


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
