"""Which samples are for testing, training, validation and calibration.

The test split is what accuracy and parity are measured on; nothing else ever sees it.
"""

from __future__ import annotations

import numpy as np

SPLITS = ("test", "train", "validation", "calibration")
TEST, VALIDATION = 0.25, 0.15
SMALLEST = 10
CALIBRATION_SAMPLES = 512
UNLABELLED = -1


def assign(labels: np.ndarray | None, count: int, seed: int, *, test: float, validation: float) -> np.ndarray:
    """Give each of `count` samples the name of its split, in equal proportions within each class.

    `test` and `validation` are fractions; the rest is for training. The same seed gives the same
    split on every machine.
    """
    generator = np.random.default_rng(seed)
    order = generator.permutation(count)
    if labels is not None:
        order = order[np.argsort(labels[order], kind="stable")]
    names = np.full(count, "train", dtype="<U10")
    steps = np.arange(count)
    names[order[due(steps, test)]] = "test"
    rest = order[~due(steps, test)]
    names[rest[due(np.arange(len(rest)), validation / (1.0 - test) if test < 1 else 0.0)]] = "validation"
    return names


def due(steps: np.ndarray, fraction: float) -> np.ndarray:
    """Mark an evenly spaced `fraction` of the positions, the first one included when it is above 0."""
    ahead = np.ceil((steps + 1) * fraction - 1e-9)
    marked: np.ndarray = ahead > np.ceil(steps * fraction - 1e-9)
    return marked


def own_splits(labels: np.ndarray | None, count: int, seed: int) -> np.ndarray:
    """Splits for a data set that has none; samples without a label are for training."""
    names = np.full(count, "train", dtype="<U10")
    known = np.arange(count) if labels is None else np.flatnonzero(labels != UNLABELLED)
    part = None if labels is None else labels[known]
    names[known] = assign(part, len(known), seed, test=TEST, validation=VALIDATION)
    return names


def split_indices(own: np.ndarray | None, labels: np.ndarray | None, count: int, seed: int) -> dict[str, np.ndarray]:
    """Index arrays of all four splits.

    `own` holds the data set's own split names, which are honoured: without a `validation` among
    them part of `train` becomes that. Fewer than 10 samples, or none marked `train`, are all for
    testing. Calibration is a part of the training samples.
    """
    if own is None and count >= SMALLEST:
        own = own_splits(labels, count, seed)
    names = np.full(count, "test") if own is None else own.astype("<U10")
    train = np.flatnonzero(names == "train")
    if len(train) >= SMALLEST and not (names == "validation").any():
        inner = assign(None if labels is None else labels[train], len(train), seed, test=0.0, validation=VALIDATION)
        names[train] = inner
        train = np.flatnonzero(names == "train")
    found = {name: np.flatnonzero(names == name) for name in ("test", "train", "validation")}
    picked = np.random.default_rng(seed).permutation(train)[:CALIBRATION_SAMPLES]
    found["calibration"] = np.sort(picked)
    return found
