"""Rank weights by their magnitude: which ones go, over the whole network or layer by layer.

Works on NumPy arrays, because PyTorch, TorchScript and ONNX weights all are such.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from engine.errors import BadInput

SCOPES = ("global", "layer")


def keep_masks(weights: Mapping[str, np.ndarray], amount: float, scope: str) -> dict[str, np.ndarray]:
    """True where a weight stays, so that a fraction `amount` of all (or of each layer's) goes.

    Raises BadInput when a layer would be left with nothing.
    """
    if scope == "layer":
        masks = {name: larger(np.abs(each), amount) for name, each in weights.items()}
    else:
        masks = over_all(weights, amount)
    for name, mask in masks.items():
        if not mask.any():
            raise BadInput(
                f"Pruning {amount:.1%} of the weights would leave nothing of {name}.",
                "Lower the amount, rank layer by layer, or keep this layer.",
            )
    return masks


def larger(magnitudes: np.ndarray, amount: float) -> np.ndarray:
    """True for all but the smallest fraction `amount`; of equals, the first go first."""
    count = round(amount * magnitudes.size)
    mask = np.ones(magnitudes.size, dtype=bool)
    if count:
        flat = magnitudes.reshape(-1)
        limit = np.partition(flat, count - 1)[count - 1]
        mask = flat > limit
        equal = np.flatnonzero(flat == limit)
        mask[equal[count - int((flat < limit).sum()) :]] = True
    return mask.reshape(magnitudes.shape)


def over_all(weights: Mapping[str, np.ndarray], amount: float) -> dict[str, np.ndarray]:
    """Masks from one ranking of all weights together."""
    if not weights:
        return {}
    kept = larger(np.concatenate([np.abs(each).reshape(-1) for each in weights.values()]), amount)
    masks, start = {}, 0
    for name, each in weights.items():
        masks[name] = kept[start : start + each.size].reshape(each.shape)
        start += each.size
    return masks


def cubic(amount: float, cycle: int, cycles: int) -> float:
    """How much is pruned after `cycle` of `cycles`: fast at first, slow at the end (Zhu & Gupta 2017)."""
    return amount * (1.0 - (1.0 - cycle / cycles) ** 3)


def sparsity_report(weights: Mapping[str, np.ndarray]) -> list[dict[str, object]]:
    """For each weight: its layer, how many weights it has and which fraction is zero."""
    return [
        {
            "layer": name.removesuffix(".weight"),
            "weights": int(each.size),
            "sparsity": float((each == 0).mean()) if each.size else 0.0,
        }
        for name, each in weights.items()
    ]
