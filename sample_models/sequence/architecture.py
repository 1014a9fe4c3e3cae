"""A recurrent classifier that reads digits row by row and stops as soon as it is sure.

How many rows it reads depends on the data. A trace records the number that its example needed and
repeats that for every input; a script keeps the loop.
"""

from __future__ import annotations

import torch
from torch import nn


class GatedCell(nn.Module):
    """A minimal gated unit (Zhou et al. 2016): one gate, no separate reset."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.gate = nn.Linear(inputs + hidden, hidden)
        self.candidate = nn.Linear(inputs + hidden, hidden)

    def forward(self, row: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        gate = torch.sigmoid(self.gate(torch.cat([row, state], dim=1)))
        proposed = torch.tanh(self.candidate(torch.cat([row, gate * state], dim=1)))
        return (1.0 - gate) * state + gate * proposed


MEAN, SPREAD = 0.305, 0.376


class EarlyExit(nn.Module):
    """Reads (batch, rows, columns) until the batch's mean certainty is reached; gives (batch, classes).

    Certainty is the probability of a sample's best class. The rows are pixels from 0 to 1.
    """

    def __init__(self, columns: int, hidden: int, classes: int, certainty: float) -> None:
        super().__init__()
        self.hidden = hidden
        self.certainty = certainty
        self.mean, self.spread = MEAN, SPREAD
        self.cell = GatedCell(columns, hidden)
        self.head = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, classes))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        pixels = (rows - self.mean) / self.spread
        state = torch.zeros(rows.shape[0], self.hidden, dtype=rows.dtype, device=rows.device)
        scores: torch.Tensor = self.head(state)
        position = 0
        while position < rows.shape[1] and float(scores.softmax(1).amax(1).mean()) < self.certainty:
            state = self.cell(pixels[:, position], state)
            scores = self.head(state)
            position += 1
        return scores


def build(columns: int = 8, hidden: int = 64, classes: int = 10, certainty: float = 0.95) -> nn.Module:
    """The classifier with `hidden` state units; `certainty` is the mean probability it stops at."""
    return EarlyExit(columns, hidden, classes, certainty)
