"""Weights shared by k-means: a few centroids stand for all weights of a layer (Han et al. 2015, section 3)."""

from __future__ import annotations

import numpy as np


def kmeans(values: np.ndarray, levels: int, importance: np.ndarray | None = None, rounds: int = 60) -> np.ndarray:
    """At most `levels` ascending centroids of `values`, started evenly between the smallest and the largest.

    `importance` weighs each value's squared error (Choi et al. 2016, https://arxiv.org/abs/1612.01543).
    Centroids that no value is nearest to are dropped.
    """
    order = np.argsort(values, kind="stable")
    ordered = values[order].astype(np.float64)
    weight = np.ones(len(ordered)) if importance is None else importance[order].astype(np.float64)
    weight = np.maximum(weight, weight.max(initial=0.0) * 1e-6 + 1e-30)
    if len(ordered) == 0:
        return np.zeros(0)
    mass = np.concatenate([[0.0], np.cumsum(weight)])
    moment = np.concatenate([[0.0], np.cumsum(weight * ordered)])
    centroids = np.unique(np.linspace(ordered[0], ordered[-1], levels))
    for _ in range(rounds):
        edges = np.searchsorted(ordered, (centroids[1:] + centroids[:-1]) / 2)
        edges = np.concatenate([[0], edges, [len(ordered)]])
        inside = mass[edges[1:]] - mass[edges[:-1]]
        means = (moment[edges[1:]] - moment[edges[:-1]]) / np.where(inside > 0, inside, 1.0)
        moved = np.where(np.diff(edges) > 0, means, centroids)
        if np.array_equal(moved, centroids):
            break
        centroids = moved
    used = np.diff(
        np.concatenate([[0], np.searchsorted(ordered, (centroids[1:] + centroids[:-1]) / 2), [len(ordered)]])
    )
    return np.unique(centroids[used > 0])


def nearest(values: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """The index of the centroid nearest to each value, whatever order the centroids are in."""
    order = np.argsort(centroids, kind="stable")
    ordered = centroids[order]
    found: np.ndarray = order[np.searchsorted((ordered[1:] + ordered[:-1]) / 2, values)]
    return found
