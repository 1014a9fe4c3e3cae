"""How to train: the settings that every training step shares."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

SCHEDULES = ("cosine", "linear", "constant")
OPTIMIZERS = ("adamw", "sgd")
WARMUP = 0.05


@dataclass(frozen=True)
class Plan:
    """Settings of one training run. `patience` epochs without improvement end it early, 0 never."""

    epochs: int
    learning_rate: float
    optimizer: str = "adamw"
    schedule: str = "cosine"
    batch_size: int = 64
    weight_decay: float = 0.01
    patience: int = 0
    mixed_precision: bool = False
    augmentation: str = "none"

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of one step: a short linear warm-up, then the schedule down to zero."""
        warmup = max(1, round(steps * WARMUP))
        if step < warmup:
            return self.learning_rate * (step + 1) / warmup
        done = (step - warmup) / max(1, steps - warmup)
        if self.schedule == "cosine":
            return self.learning_rate * 0.5 * (1.0 + math.cos(math.pi * done))
        return self.learning_rate * (1.0 - done if self.schedule == "linear" else 1.0)

    def make_optimizer(self, parameters: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """The optimizer; only tensors of two dimensions or more decay."""
        groups = [
            {"params": [each for each in parameters if each.ndim >= 2], "weight_decay": self.weight_decay},
            {"params": [each for each in parameters if each.ndim < 2], "weight_decay": 0.0},
        ]
        groups = [each for each in groups if each["params"]]
        if self.optimizer == "sgd":
            return torch.optim.SGD(groups, lr=self.learning_rate, momentum=0.9, nesterov=True)
        return torch.optim.AdamW(groups, lr=self.learning_rate)
