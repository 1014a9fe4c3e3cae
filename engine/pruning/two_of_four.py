"""2:4 semi-structured sparsity: of every four neighbouring inputs, the two smallest weights are zero.

The pattern that sparse tensor cores skip (Mishra et al. 2021, https://arxiv.org/abs/2104.08378).
Works on NumPy arrays.
"""

from __future__ import annotations

import numpy as np


def two_of_four(weight: np.ndarray, axis: int = 1) -> np.ndarray | None:
    """True where a weight stays; groups of four lie along `axis`, the inputs of a linear layer or convolution.

    None when that axis is not a multiple of four.
    """
    if weight.shape[axis] % 4:
        return None
    moved = np.moveaxis(np.abs(weight), axis, -1)
    groups = moved.reshape(*moved.shape[:-1], -1, 4)
    order = np.argsort(-groups, axis=-1, kind="stable")
    mask = np.zeros(groups.shape, dtype=bool)
    np.put_along_axis(mask, order[..., :2], True, axis=-1)
    return np.ascontiguousarray(np.moveaxis(mask.reshape(moved.shape), -1, axis))


def is_two_of_four(weight: np.ndarray, axis: int = 1) -> bool:
    """Whether every group of four has at most two weights that are not zero."""
    if weight.shape[axis] % 4:
        return False
    moved = np.moveaxis(weight, axis, -1)
    return bool(((moved.reshape(*moved.shape[:-1], -1, 4) != 0).sum(-1) <= 2).all())
