"""Prune and share the weights of a network at once, without training: what shows that coding scales."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from engine.coding.canonical import in_order, neighbours
from engine.coding.codebook import kmeans, nearest
from engine.coding.student import compressible
from engine.coding.tensors import Contents, Plain, Shared


@torch.no_grad()
def share_at_once(module: nn.Module, amount: float, levels: int, conv_levels: int) -> Contents:
    """Zero the smallest `amount` of each layer's weights and put the others onto k-means centroids.

    Biases, norms and buffers stay as they are.
    """
    chosen = set(compressible(module, biases=False))
    tensors: list[Shared | Plain] = []
    for name, tensor in module.state_dict().items():
        array = tensor.detach().cpu().numpy()
        if name not in chosen:
            tensors.append(Plain(name, array))
            continue
        numbers, book = share_tensor(array, amount, conv_levels if array.ndim > 2 else levels)
        tensors.append(Shared(name, numbers, book, *neighbours(array.shape, 1)))
    return Contents(tuple(tensors))


def share_tensor(weights: np.ndarray, amount: float, levels: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers in the weights' shape, as narrow as they fit, and an ascending codebook."""
    flat = weights.reshape(-1)
    count = round(amount * flat.size)
    limit = np.partition(np.abs(flat), count - 1)[count - 1] if count else -1.0
    places = np.flatnonzero(np.abs(flat) > limit)
    centroids = kmeans(flat[places], levels)
    numbers = np.zeros(flat.size, dtype=np.int64)
    numbers[places] = nearest(flat[places], centroids) + 1
    ordered, book = in_order(numbers, centroids)
    return ordered.reshape(weights.shape), book
