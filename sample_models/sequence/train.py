"""Train the row reader: `python -m sample_models.sequence.train` (about a minute on one core)."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from sample_models.digits.train import CARD, shift, split
from sample_models.fitting import Split, fit, publish
from sample_models.sequence.architecture import MEAN, SPREAD, build

FIRST_ROW = 3
HIDDEN = 64


def rows_of(name: str) -> Split:
    """One split of the digits as sequences of eight rows."""
    images = split(name)
    return Split((images.inputs[0][:, 0],), images.labels)


def shift_rows(inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    """Move each image by up to one pixel."""
    return (shift((inputs[0][:, None],))[0][:, 0],)


def every_row_loss(module: nn.Module, inputs: tuple[torch.Tensor, ...], labels: torch.Tensor) -> torch.Tensor:
    """Cross-entropy after every row, so that each possible exit knows how sure it is."""
    rows = (inputs[0] - MEAN) / SPREAD
    state = torch.zeros(len(rows), HIDDEN)
    loss = nn.functional.cross_entropy(module.head(state), labels) * 0.1  # type: ignore[operator]
    for position in range(rows.shape[1]):
        state = module.cell(rows[:, position], state)  # type: ignore[operator]
        weight = 1.0 if position >= FIRST_ROW else 0.2
        loss = loss + weight * nn.functional.cross_entropy(module.head(state), labels)  # type: ignore[operator]
    return loss


def main() -> None:
    """Train with a fixed seed and write weights and card."""
    torch.manual_seed(0)
    module = build(hidden=HIDDEN)
    fit(
        module,
        rows_of("train"),
        rows_of("validation"),
        epochs=120,
        learning_rate=5e-3,
        loss=every_row_loss,
        augment=shift_rows,
    )
    card = {
        **CARD,
        "name": "sequence",
        "title": "Digits, row by row",
        "description": "A recurrent classifier that stops reading when it is sure: tracing gets it wrong.",
        "inputs": [{"name": "rows", "dtype": "float32", "shape": ["batch", 8, 8]}],
        "preprocessing": {**CARD["preprocessing"], "resize": None},
    }
    publish(Path(__file__).parent, module, rows_of("test"), card)


if __name__ == "__main__":
    main()
