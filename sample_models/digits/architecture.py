"""A small convolutional classifier of 8×8 handwritten digits."""

from __future__ import annotations

import torch
from torch import nn


class Digits(nn.Module):
    """Three convolutions and a linear layer: images (batch, 1, 8, 8) to scores (batch, 10)."""

    def __init__(self, width: int = 16, classes: int = 10) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *block(1, width),
            *block(width, 2 * width),
            nn.MaxPool2d(2),
            *block(2 * width, 4 * width),
            nn.MaxPool2d(2),
        )
        self.classifier = nn.Linear(4 * width * 4, classes)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.classifier(self.features(pixels).flatten(1))
        return scores


def block(channels: int, filters: int) -> list[nn.Module]:
    """Convolution, normalisation, activation."""
    return [nn.Conv2d(channels, filters, 3, padding=1, bias=False), nn.BatchNorm2d(filters), nn.ReLU()]


def build(width: int = 16, classes: int = 10) -> nn.Module:
    """The classifier with `width` filters in its first layer."""
    return Digits(width, classes)
