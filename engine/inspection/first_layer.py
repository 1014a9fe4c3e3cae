"""Guess the inputs of a module that says nothing about them, from its first layer."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from engine.catalog.base import BATCH
from engine.spec import TensorSpec

Guess = tuple[tuple[int | str, ...], str, float | None]

if TYPE_CHECKING:
    from torch import nn


def candidates(module: nn.Module) -> Iterator[tuple[TensorSpec, ...]]:
    """Inputs worth trying, the likeliest first; one tensor for each parameter forward requires."""
    names = required(module) or ["input"]
    for shape, dtype, high in shapes(module):
        low = 0 if high else None
        yield tuple(TensorSpec(name, dtype, shape, low=low, high=high) for name in names)


def required(module: nn.Module) -> list[str]:
    """The names of forward's parameters without a default."""
    empty = inspect.Parameter.empty
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY)
    parameters = inspect.signature(module.forward).parameters.values()
    return [each.name for each in parameters if each.default is empty and each.kind in kinds]


def shapes(module: nn.Module) -> Iterator[Guess]:
    """Shape, dtype and upper bound for the first layers that tell."""
    import torch

    for each in module.modules():
        found = of_layer(each, torch)
        if found:
            yield from found
            break
    yield (BATCH, 3, "height", "width"), "float32", None
    yield (BATCH, "features"), "float32", None


def of_layer(layer: Any, torch: Any) -> list[Guess]:
    """What one layer takes, or nothing when it takes anything."""
    nn = torch.nn
    if isinstance(layer, nn.Conv2d):
        return [((BATCH, layer.in_channels, "height", "width"), "float32", None)]
    if isinstance(layer, nn.Conv1d):
        return [((BATCH, layer.in_channels, "samples"), "float32", None)]
    if isinstance(layer, nn.Conv3d):
        return [((BATCH, layer.in_channels, "frames", "height", "width"), "float32", None)]
    if isinstance(layer, (nn.Embedding, nn.EmbeddingBag)):
        return [((BATCH, "sequence"), "int64", layer.num_embeddings), ((BATCH,), "int64", layer.num_embeddings)]
    if isinstance(layer, nn.Linear):
        width = layer.in_features
        return [((BATCH, width), "float32", None), ((BATCH, "sequence", width), "float32", None), *pictures(width)]
    if isinstance(layer, (nn.LSTM, nn.GRU, nn.RNN)):
        first, second = (BATCH, "sequence") if layer.batch_first else ("sequence", BATCH)
        return [((first, second, layer.input_size), "float32", None)]
    if isinstance(layer, (nn.BatchNorm1d, nn.LayerNorm)):
        width = layer.num_features if isinstance(layer, nn.BatchNorm1d) else layer.normalized_shape[-1]
        return [((BATCH, width), "float32", None), ((BATCH, "sequence", width), "float32", None)]
    if isinstance(layer, nn.BatchNorm2d):
        return [((BATCH, layer.num_features, "height", "width"), "float32", None)]
    return []


def pictures(width: int) -> list[Guess]:
    """Square pictures that flatten to `width`."""
    found: list[Guess] = []
    for channels in (1, 3):
        side = int((width / channels) ** 0.5 + 0.5)
        if side > 3 and side * side * channels == width:
            found.append(((BATCH, channels, side, side), "float32", None))
    return found
