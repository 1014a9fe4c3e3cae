"""Errors between two large arrays, in pieces, so that nothing is copied whole to double precision."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

PIECE = 1 << 22


@dataclass(frozen=True)
class Sums:
    """What one pass over both arrays adds up, over the elements where the reference is finite.

    `strays` counts elements that are not finite where the reference is, or the other way round, or
    that are another infinity.
    """

    elements: int = 0
    signal: float = 0.0
    noise: float = 0.0
    length: float = 0.0
    product: float = 0.0
    absolute: float = 0.0
    largest: float = 0.0
    strays: int = 0


def pieces(*arrays: np.ndarray) -> Iterator[list[np.ndarray]]:
    """Slices of equal length through flattened arrays, in double precision."""
    flat = [each.reshape(-1) for each in arrays]
    for start in range(0, flat[0].size, PIECE):
        yield [each[start : start + PIECE].astype(np.float64) for each in flat]


def sums(reference: np.ndarray, output: np.ndarray) -> Sums:
    """Add up squares, products and absolute errors of two arrays of one shape."""
    elements = strays = 0
    signal = noise = length = product = absolute = largest = 0.0
    for expected, found in pieces(reference, output):
        usable = np.isfinite(expected)
        strays += int(np.sum(usable & ~np.isfinite(found)))
        if not usable.all():
            same = (expected == found) | (np.isnan(expected) & np.isnan(found))
            strays += int(np.sum(~usable & ~same))
            usable &= np.isfinite(found)
            expected, found = expected[usable], found[usable]
        error = found - expected
        elements += expected.size
        signal += float(expected @ expected)
        noise += float(error @ error)
        length += float(found @ found)
        product += float(expected @ found)
        absolute += float(np.abs(error).sum())
        largest = max(largest, float(np.abs(error).max(initial=0.0)))
    return Sums(elements, signal, noise, length, product, absolute, largest, strays)


def spread(array: np.ndarray) -> tuple[float, float, float]:
    """The largest magnitude, the norm, and the norm of the difference from the first sample (axis 0).

    Values that are not finite count as 0.
    """
    if array.size == 0:
        return 0.0, 0.0, 0.0
    first = finite(array[0]) if array.ndim else finite(array)
    largest = square = difference = 0.0
    for each in array if array.ndim else [array]:
        row = finite(each)
        largest = max(largest, float(np.abs(row).max(initial=0.0)))
        square += float(np.sum(row * row))
        difference += float(np.sum((row - first) ** 2))
    return largest, float(np.sqrt(square)), float(np.sqrt(difference))


def finite(array: np.ndarray) -> np.ndarray:
    """The array in double precision with 0 where it is not finite."""
    values = np.asarray(array, dtype=np.float64)
    return np.where(np.isfinite(values), values, 0.0)
