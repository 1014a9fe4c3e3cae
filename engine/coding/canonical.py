"""Put what a network computes into the form that codes best: codebooks in order, units sorted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import isqrt

import numpy as np

from engine.coding.chain import Link
from engine.coding.tensors import Shared

SharedWeights = dict[str, tuple[np.ndarray, np.ndarray]]


def in_order(numbers: np.ndarray, codebook: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same weights with an ascending codebook without zeros or repetitions."""
    values = codebook.astype(np.float16)
    kept = np.unique(values[values != 0])
    renumber = np.concatenate([[0], np.where(values != 0, np.searchsorted(kept, values) + 1, 0)])
    return renumber[numbers].astype(np.int64), kept


def sort_units(weights: Mapping[str, np.ndarray], links: Sequence[Link]) -> dict[str, np.ndarray]:
    """Reorder the units of a plain chain, those with most non-zeros first: the same function, permuted.

    `weights` are arrays by parameter name, zeros where pruned.
    """
    made = dict(weights)
    for before, after in pairwise(links):
        name, following = f"{before.name}.weight", f"{after.name}.weight"
        rows = made[name].reshape(len(made[name]), -1)
        columns = made[following].reshape(len(made[following]), len(rows), -1)
        alive = (rows != 0).any(1) & (columns != 0).any((0, 2))
        counts = np.where(alive, 1_000_000_000, 0) + (rows != 0).sum(1)
        order = np.argsort(-counts, kind="stable")
        made[name] = made[name][order]
        if f"{before.name}.bias" in made:
            made[f"{before.name}.bias"] = made[f"{before.name}.bias"][order]
        made[following] = columns[:, order].reshape(made[following].shape)
    return made


def neighbours(shape: Sequence[int], spread: int) -> tuple[int, int]:
    """How far apart columns of a matrix are neighbours, and how many belong together.

    `spread` columns of a linear layer come from one unit before it; 1 for the first layer.
    """
    if len(shape) > 2:
        taps = int(np.prod(shape[2:]))
        return (shape[-1] if taps > 1 else 0), taps
    columns = spread if spread > 1 else shape[1] if len(shape) == 2 else 1
    root = isqrt(columns)
    return (root if root > 2 and root * root == columns else 0), max(1, columns)


def shared_tensors(weights: SharedWeights, links: Sequence[Link]) -> list[Shared]:
    """Shared weights with ordered codebooks, sorted units, and what is known about their columns."""
    ordered = {name: in_order(*each) for name, each in weights.items()}
    numbers = sort_units({name: each for name, (each, _) in ordered.items()}, links)
    spread = {f"{link.name}.weight": link.spread for link in links}
    found = []
    for name, each in numbers.items():
        width, group = neighbours(each.shape, spread.get(name, 1))
        found.append(Shared(name, each, ordered[name][1], width, group))
    return found
