"""Seeded inputs for a model, as NumPy arrays by input name. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.spec import ModelSpec, TensorSpec


def random_feeds(spec: ModelSpec, batch_size: int, seed: int, sizes: Mapping[str, int] | None = None) -> dict[str, Any]:
    """Inputs by name: arrays of the declared dtype, and Python scalars for constants.

    `sizes` overrides dynamic dimensions by name. Raises BadInput when one has no size.
    """
    generator = np.random.default_rng(seed)
    known = {**spec.sizes_at(batch_size), **(sizes or {})}
    return {
        each.name: each.constant if each.constant is not None else draw(each, known, generator) for each in spec.inputs
    }


def draw(tensor: TensorSpec, sizes: dict[str, int], generator: np.random.Generator) -> np.ndarray:
    """One random tensor: normal floats, or uniform between the bounds where there are any.

    Integers without bounds are 0 or 1, which is a valid token, index and mask everywhere.
    """
    shape = tensor.concrete(sizes)
    if tensor.dtype == "bool":
        return generator.integers(0, 2, shape).astype(np.bool_)
    if tensor.dtype.startswith(("int", "uint")):
        low = int(tensor.low if tensor.low is not None else 0)
        high = int(tensor.high if tensor.high is not None else low + 2)
        return generator.integers(low, high, shape).astype(tensor.dtype)
    if tensor.low is not None and tensor.high is not None:
        values = generator.uniform(tensor.low, tensor.high, shape)
    else:
        values = generator.standard_normal(shape)
    return values.astype(numpy_dtype(tensor.dtype))


def numpy_dtype(name: str) -> np.dtype[Any]:
    """NumPy's dtype of a name; bfloat16, which NumPy lacks, is carried as float32."""
    return np.dtype("float32" if name == "bfloat16" else name)
