"""Pruned weights stay pruned: which weights are zero now is kept that way while training."""

from __future__ import annotations

from collections.abc import Mapping

import torch

Masks = Mapping[str, torch.Tensor]
NOTICEABLE = 0.01


def masks_of(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """True where a weight is kept, for every weight tensor of which at least 1 % is exactly zero."""
    found = {}
    for name, parameter in module.named_parameters():
        if parameter.ndim >= 2 and parameter.is_floating_point():
            kept = parameter.detach() != 0
            if float((~kept).float().mean()) >= NOTICEABLE:
                found[name] = kept
    return found


@torch.no_grad()
def apply_masks(module: torch.nn.Module, masks: Masks) -> None:
    """Set every masked weight to zero again."""
    for name, parameter in module.named_parameters():
        if name in masks:
            parameter.mul_(masks[name].to(parameter.device))
