from __future__ import annotations

import torch
from torch import nn

from engine.coding.targets import MOVES, Lessons, moved
from engine.training.tensors import Tensors


class Counting(nn.Module):
    """Scores that depend on where in the image something is; counts the images it is asked about."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.weight = nn.Parameter(torch.randn(64, 3, generator=torch.Generator().manual_seed(1)))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.asked += len(images)
        return images.flatten(1) @ self.weight


def images(count: int) -> Tensors:
    pixels = torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(2))
    return Tensors((pixels,), torch.arange(count))


def test_a_moved_image_is_taught_the_mean_over_all_its_moves_and_the_teacher_is_asked_once() -> None:
    teacher, data = Counting(), images(12)
    lessons = Lessons(teacher, data, 0, shift=True)
    generator = torch.Generator().manual_seed(0)
    taught = {
        int(n): row for batch, rows in lessons.batches(5, generator) for n, row in zip(batch.labels, rows, strict=True)
    }
    asked = teacher.asked
    assert len([*lessons.batches(5, generator)]) == 3
    assert teacher.asked == asked
    every = [teacher(moved(data.inputs[0], torch.full((12,), move))) for move in range(len(MOVES))]
    expected = torch.stack(every).mean(0)
    assert all(torch.allclose(row, expected[number], atol=1e-5) for number, row in taught.items())


def test_without_moves_the_teacher_says_what_it_says() -> None:
    teacher, data = Counting(), images(6)
    for batch, rows in Lessons(teacher, data, 0, shift=False).batches(3, torch.Generator().manual_seed(0)):
        assert torch.allclose(rows, teacher(batch.inputs[0]))
