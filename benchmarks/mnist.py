"""Read MNIST's IDX files: training, validation and test split, as tensors or as a data set to upload."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine.training.tensors import Tensors

VALIDATION, SPLIT_SEED = 5000, 12345
MEAN, DEVIATION = 0.1307, 0.3081


def splits(folder: Path) -> tuple[Tensors, Tensors, Tensors]:
    """Training (55,000), validation (5,000 of the training images, always the same) and test (10,000)."""
    images, labels = read(folder, "train")
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(SPLIT_SEED))
    held, rest = order[:VALIDATION], order[VALIDATION:]
    test = read(folder, "t10k")
    return (
        Tensors((images[rest],), labels[rest]),
        Tensors((images[held],), labels[held]),
        Tensors((test[0],), test[1]),
    )


def save(path: Path, splits: Mapping[str, Tensors]) -> None:
    """Write a data set that the product reads: `train`, `validation` and `test`; -1 is no label."""
    arrays: dict[str, Any] = {
        "pixels": torch.cat([each.inputs[0] for each in splits.values()]).numpy(),
        "labels": torch.cat([each.labels for each in splits.values()]).numpy(),
        "split": np.concatenate([np.full(len(each), name) for name, each in splits.items()]),
    }
    np.savez(path, **arrays)


def read(folder: Path, part: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Images (samples, 1, 28, 28), standardized, and class numbers."""
    pixels = content(folder, f"{part}-images-idx3-ubyte")[16:].reshape(-1, 1, 28, 28).astype(np.float32) / 255
    labels = content(folder, f"{part}-labels-idx1-ubyte")[8:].astype(np.int64)
    return torch.from_numpy((pixels - np.float32(MEAN)) / np.float32(DEVIATION)), torch.from_numpy(labels)


def content(folder: Path, name: str) -> np.ndarray:
    """A file's bytes, gzipped or not."""
    packed = folder / f"{name}.gz"
    if packed.exists():
        return np.frombuffer(gzip.decompress(packed.read_bytes()), np.uint8)
    if not (folder / name).exists():
        raise SystemExit(f"{folder} holds neither {name} nor {name}.gz. Download MNIST's four IDX files into it.")
    return np.frombuffer((folder / name).read_bytes(), np.uint8)
