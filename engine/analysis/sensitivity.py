"""How much each layer suffers when it alone is pruned or quantized. Loads torch; used in workers only."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

    from engine.training.tensors import Tensors

Change = Callable[[float, np.ndarray], np.ndarray]
Advance = Callable[[float, str], None]


@dataclass(frozen=True)
class Point:
    """One layer at one amount: the score (accuracy, or agreement without labels) and how much is lost."""

    layer: str
    amount: float
    score: float
    loss: float
    relative_l2: float


def pruned(amount: float, weight: np.ndarray) -> np.ndarray:
    """The weight without its smallest fraction `amount`."""
    from engine.pruning.magnitude import larger

    return np.asarray(weight * larger(np.abs(weight), amount))


def rounded(bits: float, weight: np.ndarray) -> np.ndarray:
    """The weight rounded to so many bits, symmetric, with a scale for each output channel."""
    axes = tuple(range(1, weight.ndim))
    steps = 2 ** (int(bits) - 1) - 1
    scale = np.maximum(np.abs(weight).max(axis=axes, keepdims=True), 1e-12) / steps
    return np.asarray(np.round(weight / scale) * scale, dtype=weight.dtype)


def scan(
    module: torch.nn.Module,
    weights: Mapping[str, Any],
    data: Tensors,
    amounts: tuple[float, ...],
    change: Change,
    scores: int,
    advance: Advance,
) -> list[Point]:
    """Change one layer at a time by each amount, and compare the model's answers with those before.

    The score is accuracy on labelled data, else agreement of the best class with the unchanged model.
    """
    before = answers(module, data, scores)
    base = score_of(before, before, data)
    points: list[Point] = []
    for number, (name, parameter) in enumerate(weights.items()):
        layer = name.removesuffix(".weight")
        advance(number / len(weights), f"{layer}, {number + 1} of {len(weights)}")
        for amount in amounts:
            with replaced(parameter, functools.partial(change, amount)):
                found = answers(module, data, scores)
            score = score_of(found, before, data)
            error = float(np.linalg.norm(found - before) / max(float(np.linalg.norm(before)), 1e-12))
            points.append(Point(layer, amount, score, base - score, error))
    return points


@contextmanager
def replaced(parameter: Any, change: Callable[[np.ndarray], np.ndarray]) -> Iterator[None]:
    """Change a parameter's values for a while."""
    import torch

    from engine.torch_bridge import to_numpy

    original = parameter.detach().clone()
    try:
        with torch.no_grad():
            parameter.copy_(torch.from_numpy(change(to_numpy(parameter))))
        yield
    finally:
        with torch.no_grad():
            parameter.copy_(original)


def answers(module: torch.nn.Module, data: Tensors, scores: int) -> np.ndarray:
    """The scores for every sample, (samples, ...)."""
    import torch

    from engine.torch_bridge import flatten, to_numpy

    with torch.no_grad():
        return np.concatenate([to_numpy(flatten(module(*each.inputs))[scores].float()) for each in data.batches(128)])


def score_of(found: np.ndarray, before: np.ndarray, data: Tensors) -> float:
    """Accuracy on the labelled samples, else agreement with the unchanged model."""
    best = found.reshape(len(found), -1).argmax(1)
    labels = data.labels.numpy()
    if data.labelled:
        known = labels >= 0
        return float((best[known] == labels[known]).mean())
    return float((best == before.reshape(len(before), -1).argmax(1)).mean())
