"""Check feeds against a model's inputs before a library sees them. NumPy only, no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.errors import BadInput
from engine.feeds import numpy_dtype
from engine.spec import ModelSpec, TensorSpec


def checked(feeds: Mapping[str, Any], spec: ModelSpec, batch_size: int | None = None) -> dict[str, Any]:
    """The feeds in the order of the model's inputs: contiguous arrays of the declared dtype, and constants.

    `batch_size` is the one that an artifact was built for, when it was built for one alone. Raises
    BadInput naming the input that is missing or does not fit.
    """
    sizes: dict[str, int] = {}
    found: dict[str, Any] = {}
    for each in spec.inputs:
        if each.constant is not None:
            found[each.name] = each.constant
            continue
        if each.name not in feeds:
            raise BadInput(f"There is no value for the input {each.name}.", f"Inputs: {names(spec)}.")
        value = np.asarray(feeds[each.name])
        check_shape(each, value.shape, sizes)
        # `ascontiguousarray` alone would turn a scalar into a vector of one element.
        found[each.name] = np.ascontiguousarray(value, numpy_dtype(each.dtype)).reshape(value.shape)
    batch = spec.batch_dimension
    if batch_size and batch and sizes.get(batch, batch_size) != batch_size:
        raise BadInput(
            f"This artifact was built for batch size {batch_size} and was given {sizes[batch]}.",
            "Build it for this batch size, or with a dynamic batch.",
        )
    return found


def check_shape(tensor: TensorSpec, shape: tuple[int, ...], sizes: dict[str, int]) -> None:
    """Raise BadInput when a shape does not fit; `sizes` collects the dynamic dimensions seen so far."""
    if len(shape) != len(tensor.shape):
        raise misfit(tensor, shape)
    for declared, size in zip(tensor.shape, shape, strict=True):
        wanted = sizes.setdefault(declared, size) if isinstance(declared, str) else declared
        if size != wanted:
            raise misfit(tensor, shape)


def misfit(tensor: TensorSpec, shape: tuple[int, ...]) -> BadInput:
    """The error for a shape that does not fit."""
    declared = "x".join(map(str, tensor.shape)) or "a scalar"
    given = "x".join(map(str, shape)) or "a scalar"
    return BadInput(
        f"Input {tensor.name} has the shape {declared} and was given {given}.",
        f"Give it with --shape {tensor.name}={declared}.",
    )


def names(spec: ModelSpec) -> str:
    """The names of all inputs that take a tensor."""
    return ", ".join(each.name for each in spec.tensor_inputs)


def bfloat16_bits(array: np.ndarray) -> np.ndarray:
    """float32 values as the bits of bfloat16 in 16-bit integers, rounded to nearest even."""
    bits = np.ascontiguousarray(array, np.float32).reshape(array.shape).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def from_bfloat16_bits(bits: np.ndarray) -> np.ndarray:
    """The bits of bfloat16 as float32 values."""
    return (bits.astype(np.uint32) << 16).view(np.float32)
