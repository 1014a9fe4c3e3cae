"""Train the digits sample: `python -m sample_models.digits.train` (about half a minute on one core)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from engine.data import bundled
from sample_models.digits.architecture import build
from sample_models.fitting import Split, fit, publish

CARD: dict[str, Any] = {
    "name": "digits",
    "title": "Handwritten digits",
    "description": "A small convolutional classifier of 8×8 images of handwritten digits.",
    "task": "classification",
    "arguments": {},
    "inputs": [{"name": "pixels", "dtype": "float32", "shape": ["batch", 1, 8, 8], "low": 0.0, "high": 1.0}],
    "outputs": ["scores"],
    "preprocessing": {"resize": [8, 8], "labels": [str(each) for each in range(10)], "scores": "scores"},
    "dataset": "sample:digits",
    "data_licence": "UCI handwritten digits (E. Alpaydin, C. Kaynak, 1998), CC BY 4.0, as scikit-learn ships them",
    "licence": "Apache-2.0",
}


def split(name: str) -> Split:
    """One split of the digits as tensors."""
    data = bundled.digits()
    assert data.split is not None
    assert data.labels is not None
    chosen = data.split == name
    return Split((torch.from_numpy(data.arrays["pixels"][chosen]),), torch.from_numpy(data.labels[chosen]))


def shift(inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    """Move each image by up to one pixel, blank at the border."""
    padded = torch.nn.functional.pad(inputs[0], (1, 1, 1, 1))
    down, right = torch.randint(0, 3, (2, len(padded)))
    rows = (down[:, None] + torch.arange(8))[:, None, :, None]
    columns = (right[:, None] + torch.arange(8))[:, None, None, :]
    return (padded[torch.arange(len(padded))[:, None, None, None], 0, rows, columns],)


def main() -> None:
    """Train with a fixed seed and write weights and card."""
    torch.manual_seed(0)
    module = build()
    fit(module, split("train"), split("validation"), epochs=40, learning_rate=5e-3, augment=shift)
    publish(Path(__file__).parent, module, split("test"), CARD)


if __name__ == "__main__":
    main()
