"""Turn a data set's labels into class numbers that fit the model's scores."""

from __future__ import annotations

import numpy as np

from engine.data.raw import RawData
from engine.data.splits import UNLABELLED
from engine.errors import BadInput
from engine.spec import ModelSpec, TensorSpec


def scores_output(spec: ModelSpec) -> TensorSpec | None:
    """The output that holds one score for each class, or None when no output looks like that."""
    for each in spec.outputs:
        named = each.name == spec.preprocessing.scores
        if named or (not spec.preprocessing.scores and each.dtype.startswith(("float", "bfloat"))):
            return each if len(each.shape) == 2 else None
    return None


def class_count(spec: ModelSpec) -> int | None:
    """How many classes the model tells apart, or None when its outputs don't say."""
    output = scores_output(spec)
    if output is None or not isinstance(output.shape[-1], int):
        return None
    return max(2, output.shape[-1])


def class_numbers(raw: RawData, spec: ModelSpec) -> tuple[np.ndarray | None, list[str]]:
    """The labels as int64 and notes on how they were read, or None for a model without classes.

    Raises BadInput when they can't be the model's classes.
    """
    if raw.labels is None:
        return None, []
    if spec.task in ("embedding", "detection"):
        return None, [f"The labels are not used: accuracy means nothing for {spec.task}; agreement is measured."]
    values = np.asarray(raw.labels)
    if values.dtype.kind == "b":
        values = values.astype(np.int64)
    numbers, notes = (numeric(raw, values), []) if values.dtype.kind in "iuf" else named(raw, values, spec)
    check(raw, numbers, spec)
    known = numbers[numbers != UNLABELLED]
    if not len(known):
        return None, ["Every label is -1, which means none."]
    if len(known) < len(numbers):
        notes.append(f"{len(numbers) - len(known):,} samples have the label -1, which means none; they only train.")
    if len(np.unique(known)) == 1:
        notes.append(f"Every label is class {known[0]}: accuracy on one class says little.")
    return numbers, notes


def numeric(raw: RawData, values: np.ndarray) -> np.ndarray:
    """Numbers as int64; raises BadInput on fractions, NaN and negative ones other than -1."""
    if not np.isfinite(values).all() or (values != np.round(values)).any():
        raise BadInput(f"The labels of {raw.name} are not whole class numbers.", "Number the classes 0, 1, 2, ….")
    if values.min() < UNLABELLED:
        raise BadInput(
            f"The labels of {raw.name} go down to {int(values.min())}.", "Number the classes from 0; -1 means no label."
        )
    return values.astype(np.int64)


def named(raw: RawData, values: np.ndarray, spec: ModelSpec) -> tuple[np.ndarray, list[str]]:
    """Class names as numbers: by the model's own label names, as digits, else in alphabetical order."""
    names = sorted(set(values.tolist()))
    known = {label: number for number, label in enumerate(spec.preprocessing.labels)}
    if known and all(name in known for name in names):
        return np.array([known[each] for each in values.tolist()], dtype=np.int64), []
    if all(name.isdecimal() for name in names):
        return values.astype(np.int64), []
    if known:
        strange = ", ".join(name for name in names if name not in known)
        raise BadInput(
            f"{raw.name} has classes that the model does not know: {strange[:200]}.",
            f"The model's classes: {', '.join(known)[:300]}.",
        )
    order = {name: number for number, name in enumerate(names)}
    listed = ", ".join(f"{number} {name}" for name, number in list(order.items())[:5])
    note = f"Class names were numbered in alphabetical order ({listed}{', …' if len(order) > 5 else ''})."
    return np.array([order[each] for each in values.tolist()], dtype=np.int64), [note]


def check(raw: RawData, numbers: np.ndarray, spec: ModelSpec) -> None:
    """Raise BadInput when a label is beyond the model's scores."""
    classes = class_count(spec)
    if classes is not None and int(numbers.max()) >= classes:
        found = len(np.unique(numbers))
        raise BadInput(
            f"{raw.name} has labels up to {int(numbers.max())} ({found} classes), "
            f"and the model gives {classes} scores.",
            f"Use labels from 0 to {classes - 1}, or choose the data set that the model was trained for.",
        )
