"""Inputs that a trace has not seen: other values, the user's data, other sizes of every dynamic dimension."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from engine.spec import ModelSpec, TensorSpec
from engine.steps.base import Context, Samples

SCALES = (10.0, 0.1, -1.0, 0.0)
OTHER_SIZES = (1, 3, 5)
DATA_CASES = 8


def cases(spec: ModelSpec, context: Context, data: Samples | None) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Inputs the trace has not seen, as (kind, description, feeds); `more` random ones without end last."""
    yield from data_cases(data)
    example = context.example(seed=1)
    for scale in SCALES:
        yield "values", f"values × {scale:g}", changed(spec, example, lambda each, s=scale: each * s)  # type: ignore[misc]
    yield "values", "largest allowed values", edge(spec, example, "high")
    yield "values", "smallest allowed values", edge(spec, example, "low")
    yield (
        "values",
        "values in ascending order",
        changed(spec, example, lambda each: np.sort(each, axis=None).reshape(each.shape)),
    )
    if context.static_batch is None:
        yield from size_cases(spec, context)
    for seed in range(2, 10_000):
        yield ("values" if seed < 12 else "more"), f"other random values (seed {seed})", context.example(seed=seed)


def data_cases(data: Samples | None) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Pairs of samples of the user's data set."""
    if data is None:
        return
    for start in range(0, min(2 * DATA_CASES, len(data) - 1), 2):
        yield (
            "values",
            f"samples {start} and {start + 1} of {data.name}",
            {name: array[start : start + 2] for name, array in data.feeds.items()},
        )


def size_cases(spec: ModelSpec, context: Context) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Other sizes of each dynamic dimension, one dimension at a time."""
    batch = spec.batch_dimension
    names = list(dict.fromkeys(name for each in spec.tensor_inputs for name in each.dynamic))
    for name in names:
        usual = 2 if name == batch else spec.sizes.get(name, 2)
        for size in dict.fromkeys((*OTHER_SIZES, usual + 1, max(1, usual // 2), usual * 2)):
            if size == usual:
                continue
            feeds = context.example(size, sizes={}) if name == batch else context.example(sizes={name: size})
            yield "sizes", f"{name} = {size}", feeds


def changed(spec: ModelSpec, feeds: Mapping[str, Any], change: Callable[[np.ndarray], np.ndarray]) -> dict[str, Any]:
    """The feeds with every floating input changed and kept within its bounds."""
    floating = {each.name: each for each in spec.tensor_inputs if each.dtype.startswith(("float", "bfloat"))}
    return {
        name: bounded(change(value).astype(value.dtype), floating[name]) if name in floating else value
        for name, value in feeds.items()
    }


def bounded(value: np.ndarray, tensor: TensorSpec) -> np.ndarray:
    """The values within the bounds of an input that has any."""
    return np.clip(value, tensor.low, tensor.high) if tensor.low is not None and tensor.high is not None else value


def edge(spec: ModelSpec, feeds: Mapping[str, Any], side: str) -> dict[str, Any]:
    """The feeds with every input at one end of its range; floats without bounds at ±3."""
    found = dict(feeds)
    for each in spec.tensor_inputs:
        value = feeds[each.name]
        if each.dtype == "bool":
            limit: float = side == "high"
        elif each.dtype.startswith(("int", "uint")):
            low = int(each.low or 0)
            limit = low if side == "low" else int(each.high if each.high is not None else low + 2) - 1
        else:
            known = each.low if side == "low" else each.high
            limit = known if known is not None else (-3.0 if side == "low" else 3.0)
        found[each.name] = np.full_like(value, limit)
    return found
