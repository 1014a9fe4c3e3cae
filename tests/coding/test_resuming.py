from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from engine.coding import container
from engine.coding.clip_q import ClipSettings, compress_by_clipping
from engine.coding.learning import Cancelled, Running
from engine.coding.pipeline import Compressed, Settings, compress
from engine.training.tensors import Tensors

DEEP = Settings(amount=0.9, prune_epochs=2, share_epochs=2, tune_epochs=2)
CLIP = ClipSettings(trials=2, epochs=2)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(216, 12), nn.ReLU(), nn.Linear(12, 3))


def blobs(count: int, seed: int) -> Tensors:
    """Three classes, each bright in another corner."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 3
    pixels = torch.randn(count, 1, 8, 8, generator=generator) * 0.3
    for number, (row, column) in enumerate(((0, 0), (0, 5), (5, 0))):
        pixels[labels == number, :, row : row + 3, column : column + 3] += 1.0
    return Tensors((pixels,), labels)


def deep(**options: Any) -> Compressed:
    return compress(network(), (blobs(300, 1), blobs(60, 2)), DEEP, Running(seed=3, **options))


def clip(**options: Any) -> Compressed:
    return compress_by_clipping(network(), (blobs(300, 1), blobs(60, 2)), CLIP, Running(seed=3, **options))


@pytest.mark.parametrize(("method", "finished"), [(deep, 1), (deep, 3), (deep, 5), (clip, 1)])
def test_going_on_after_an_interruption_gives_the_same_file(
    method: Callable[..., Compressed], finished: int, tmp_path: Path
) -> None:
    whole = method()
    points: list[Any] = []

    def count(*_: Any, **data: Any) -> None:
        points.extend(data.get("curve", {}).items())

    path = tmp_path / "compression.pt"
    with pytest.raises(Cancelled):
        method(checkpoint=path, progress=count, cancelled=lambda: len(points) >= 7 * finished)
    resumed = method(checkpoint=path)
    assert len(resumed.curve) == len(whole.curve)
    assert [each["train_loss"] for each in resumed.curve] == [each["train_loss"] for each in whole.curve]
    assert container.encode(resumed.contents) == container.encode(whole.contents)
