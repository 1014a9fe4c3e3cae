"""Train a sample model and write its weights and card; used by every `train.py` here."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn


@dataclass(frozen=True)
class Split:
    """Inputs in the model's order, and labels."""

    inputs: tuple[torch.Tensor, ...]
    labels: torch.Tensor

    def batch(self, indices: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(each[indices] for each in self.inputs)


Loss = Callable[[nn.Module, tuple[torch.Tensor, ...], torch.Tensor], torch.Tensor]
Augment = Callable[[tuple[torch.Tensor, ...]], tuple[torch.Tensor, ...]]


def cross_entropy(module: nn.Module, inputs: tuple[torch.Tensor, ...], labels: torch.Tensor) -> torch.Tensor:
    """The usual loss of a classifier, with a little label smoothing."""
    return nn.functional.cross_entropy(module(*inputs), labels, label_smoothing=0.05)


def fit(
    module: nn.Module,
    train: Split,
    validation: Split,
    *,
    epochs: int,
    learning_rate: float,
    batch_size: int = 64,
    weight_decay: float = 0.01,
    loss: Loss = cross_entropy,
    augment: Augment | None = None,
) -> None:
    """Train with AdamW and a one-cycle schedule; keep the weights best on the validation split."""
    optimizer = torch.optim.AdamW(module.parameters(), lr=learning_rate, weight_decay=weight_decay)
    steps = epochs * -(-len(train.labels) // batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps, pct_start=0.15)
    best, kept = -1.0, copy.deepcopy(module.state_dict())
    for epoch in range(epochs):
        module.train()
        for indices in torch.randperm(len(train.labels)).split(batch_size):
            inputs = train.batch(indices)
            value = loss(module, augment(inputs) if augment else inputs, train.labels[indices])
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            schedule.step()
        reached = accuracy(module, validation)
        print(f"epoch {epoch + 1}/{epochs}: loss {value.item():.3f}, validation accuracy {reached:.4f}", flush=True)
        if reached >= best:
            best, kept = reached, copy.deepcopy(module.state_dict())
    module.load_state_dict(kept)


@torch.no_grad()
def accuracy(module: nn.Module, split: Split, batch_size: int = 128) -> float:
    """The fraction of samples whose highest score is the right class."""
    module.eval()
    right = 0
    for indices in torch.arange(len(split.labels)).split(batch_size):
        right += int((module(*split.batch(indices)).argmax(-1) == split.labels[indices]).sum())
    return right / len(split.labels)


def publish(folder: Path, module: nn.Module, test: Split, card: dict[str, Any]) -> None:
    """Write `weights.safetensors` and `card.json` with the accuracy on the test split."""
    module.eval()
    save_file({name: value.contiguous() for name, value in module.state_dict().items()}, folder / "weights.safetensors")
    card = {
        **card,
        "parameters": sum(each.numel() for each in module.parameters()),
        "accuracy": round(accuracy(module, test), 4),
        "test_samples": len(test.labels),
    }
    (folder / "card.json").write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n")
    print(f"test accuracy {card['accuracy']:.4f}, {card['parameters']} parameters")
