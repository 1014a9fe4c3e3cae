"""A residual classifier of 8×8 handwritten digits, a teacher for the small one."""

from __future__ import annotations

import torch
from torch import nn


class Residual(nn.Module):
    """Two convolutions around a skip connection; the shape stays the same."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return torch.relu(features + self.body(features))


class DigitsTeacher(nn.Module):
    """A stem, `depth` residual blocks and a linear layer: (batch, 1, 8, 8) to scores (batch, 10)."""

    def __init__(self, width: int = 64, depth: int = 4, classes: int = 10) -> None:
        super().__init__()
        stem: list[nn.Module] = [nn.Conv2d(1, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        blocks: list[nn.Module] = [Residual(width) for _ in range(depth)]
        blocks.insert(depth // 2, nn.MaxPool2d(2))
        self.features = nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(2))
        self.classifier = nn.Linear(4 * width, classes)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.classifier(self.features(pixels).flatten(1))
        return scores


def build(width: int = 64, depth: int = 4, classes: int = 10) -> nn.Module:
    """The teacher with `depth` residual blocks of `width` filters."""
    return DigitsTeacher(width, depth, classes)
