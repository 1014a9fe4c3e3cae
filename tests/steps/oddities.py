"""Modules with what real models have: branches in a submodule, several inputs and outputs, a Python number."""

from __future__ import annotations

import torch
from torch import nn


class Gate(nn.Module):
    """Doubles its input when its mean is positive."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        if float(values.mean()) > 0.0:
            values = values * 2.0
        found: torch.Tensor = self.linear(values)
        return found


class Gated(nn.Module):
    """Control flow in one submodule, and Python that TorchScript can't compile around it."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(8, 8)
        self.gate = Gate()
        self.last = nn.Linear(8, 4)

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.last(self.gate(self.first(inputs[0])))
        return found


class Several(nn.Module):
    """Two inputs and a number in, a mapping of unequal things out."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def forward(self, tokens: torch.Tensor, rate: int, values: torch.Tensor) -> dict[str, object]:
        hidden = self.linear(values) * (rate / 1000) + tokens.to(values.dtype).mean(1, keepdim=True)
        steps = torch.arange(values.shape[0], dtype=torch.float32)
        return {"scores": hidden.softmax(1), "best": hidden.argmax(1), "pair": (hidden, hidden.sum(1) + steps)}


def build(kind: str = "gated") -> nn.Module:
    return Gated() if kind == "gated" else Several()
