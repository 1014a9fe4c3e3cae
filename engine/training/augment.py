"""Random changes of training images that keep their class."""

from __future__ import annotations

from typing import Any

import torch

from engine.training.tensors import Batch

AUGMENTATIONS = ("none", "shift", "flip", "shift-flip")


def augment(batch: Batch, kind: str, generator: torch.Generator) -> Batch:
    """Shift images by up to an eighth of their size and flip them left to right, as `kind` says.

    Inputs that are not images (batch, channels, height, width) stay as they are.
    """
    if kind == "none":
        return batch
    return Batch(tuple(changed(each, kind, generator) for each in batch.inputs), batch.labels)


def changed(images: Any, kind: str, generator: torch.Generator) -> Any:
    if not isinstance(images, torch.Tensor) or images.ndim != 4 or not images.is_floating_point():
        return images
    if "shift" in kind:
        images = shifted(images, generator)
    if "flip" in kind:
        flip = torch.rand(len(images), generator=generator).lt(0.5).to(images.device)
        images = torch.where(flip[:, None, None, None], images.flip(3), images)
    return images


def shifted(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Each image moved by its own random amount; the border repeats the image's own first pixel."""
    count, _, height, width = images.shape
    reach = max(1, min(height, width) // 8) if min(height, width) < 64 else min(height, width) // 16
    padded = torch.nn.functional.pad(images, (reach,) * 4, mode="replicate")
    offsets = torch.randint(0, 2 * reach + 1, (2, count), generator=generator).to(images.device)
    rows = offsets[0][:, None] + torch.arange(height, device=images.device)
    columns = offsets[1][:, None] + torch.arange(width, device=images.device)
    samples = torch.arange(count, device=images.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[samples, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2).contiguous()
