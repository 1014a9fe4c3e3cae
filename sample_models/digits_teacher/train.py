"""Train the teacher: `python -m sample_models.digits_teacher.train` (some minutes on one core)."""

from __future__ import annotations

from pathlib import Path

import torch

from sample_models.digits.train import CARD, shift, split
from sample_models.digits_teacher.architecture import build
from sample_models.fitting import fit, publish


def main() -> None:
    """Train with a fixed seed and write weights and card."""
    torch.manual_seed(0)
    module = build()
    fit(module, split("train"), split("validation"), epochs=30, learning_rate=5e-3, augment=shift)
    card = {
        **CARD,
        "name": "digits_teacher",
        "title": "Handwritten digits, teacher",
        "description": "A residual classifier of the same digits, over ten times larger: a teacher for distillation.",
    }
    publish(Path(__file__).parent, module, split("test"), card)


if __name__ == "__main__":
    main()
