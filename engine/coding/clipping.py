"""CLIP-Q: clip small weights to zero and quantize the others anew after every update, so both stay reversible.

Tung & Mori 2018, "CLIP-Q: Deep Network Compression Learning by In-Parallel Pruning-Quantization",
https://openaccess.thecvf.com/content_cvpr_2018/html/Tung_CLIP-Q_Deep_Network_CVPR_2018_paper.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from engine.coding.learning import Learning
from engine.coding.student import Student


@dataclass(frozen=True)
class LayerSetting:
    """A layer's share of weights to clip, of the positive and of the negative ones, and bits of its numbers."""

    amount: float
    bits: int


@torch.no_grad()
def clip_and_quantize(weight: torch.Tensor, setting: LayerSetting) -> tuple[torch.Tensor, torch.Tensor]:
    """Numbers (0 for clipped) and the codebook they point into: each band's mean weight.

    The weights beyond the clips are cut into bands of equal width, 2**(bits - 1) above zero and one less below.
    """
    numbers = torch.zeros_like(weight, dtype=torch.long)
    books: list[torch.Tensor] = []
    used = 0
    for sign, bands in ((-1.0, 2 ** (setting.bits - 1) - 1), (1.0, 2 ** (setting.bits - 1))):
        side = weight * sign
        present = side > 0
        count = int(present.sum())
        if not bands or not count:
            continue
        clip = side[present].kthvalue(min(count, max(1, round(setting.amount * count)))).values
        kept = present & (side > clip) if setting.amount > 0 else present
        if not bool(kept.any()):
            continue
        low, high = side[kept].min(), side[kept].max()
        width = (high - low).clamp_min(1e-12) / bands
        band = ((side[kept] - low) / width).long().clamp_(0, bands - 1)
        sums = torch.zeros(bands, device=weight.device).index_add_(0, band, weight[kept])
        counts = torch.zeros(bands, device=weight.device).index_add_(0, band, torch.ones_like(weight[kept]))
        numbers[kept] = band + 1 + used
        books.append(sums / counts.clamp_min(1.0))
        used += bands
    return numbers, torch.cat(books) if books else weight.new_zeros(0)


def look_up(numbers: torch.Tensor, codebook: torch.Tensor) -> torch.Tensor:
    """The weights that numbers stand for."""
    return torch.cat([codebook.new_zeros(1), codebook])[numbers]


@dataclass
class Clipping:
    """Trains a student in full precision through its clipped and quantized weights."""

    learning: Learning
    settings: Mapping[str, LayerSetting] = field(default_factory=dict)
    full: dict[str, torch.Tensor] = field(default_factory=dict)

    @torch.no_grad()
    def quantize(self) -> None:
        """Keep the full-precision weights aside and put the quantized ones into the module."""
        for name, setting in self.settings.items():
            parameter = self.learning.student.module.get_parameter(name)
            self.full[name] = parameter.detach().clone()
            parameter.copy_(look_up(*clip_and_quantize(parameter, setting)))

    @torch.no_grad()
    def restore(self) -> None:
        """Put the full-precision weights back."""
        for name, weight in self.full.items():
            self.learning.student.module.get_parameter(name).copy_(weight)

    def state(self) -> dict[str, Any]:
        """What an interrupted run goes on from."""
        settings = {name: [each.amount, each.bits] for name, each in self.settings.items()}
        return {"settings": settings, "full": self.full}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self.settings = {name: LayerSetting(*each) for name, each in state["settings"].items()}
        self.full = state["full"]

    def train(self, epochs: int, rate: float, part: tuple[float, float]) -> None:
        """Fine-tune: gradients at the quantized weights move the full-precision ones."""
        optimizer = self.learning.student.optimizer

        def update(current: float) -> None:
            self.restore()
            for group in optimizer.param_groups:
                group["lr"] = current
            optimizer.step()
            self.quantize()

        self.restore()  # does nothing but after an interruption
        self.quantize()
        self.learning.train(epochs, lambda done: rate * (1.0 - done), "Clipping and quantizing", part, update=update)

    def result(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """For each weight: its numbers and its codebook in float16, which the module then holds as well."""
        self.restore()
        found = {}
        for name, setting in self.settings.items():
            parameter = self.learning.student.module.get_parameter(name)
            numbers, book = clip_and_quantize(parameter.detach(), setting)
            rounded = book.half()
            with torch.no_grad():
                parameter.copy_(look_up(numbers, rounded.float()))
            found[name] = (numbers.cpu().numpy(), rounded.cpu().numpy())
        return found


def stored_bits(student: Student, name: str, setting: LayerSetting) -> float:
    """About how many bits a layer takes with a setting."""
    return student.module.get_parameter(name).numel() * (1.0 - setting.amount) * (setting.bits + 3)
