"""Code small matrices of codebook numbers with the adaptive coder."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.coding.adaptive import Layout, new_mixer, pass_matrix
from engine.coding.range_coder import Decoder, Encoder
from engine.coding.tensors import Shared

DENSITY_UNIT = 64


def density_of(numbers: np.ndarray) -> int:
    """The share of non-zeros among live rows and columns, in steps that fit two bytes as a varint."""
    matrix = as_matrix(numbers) != 0
    live = int(matrix.any(1).sum()) * int(matrix.any(0).sum())
    return round(int(matrix.sum()) / live * 65535 / DENSITY_UNIT) if live else 0


def as_matrix(numbers: np.ndarray) -> np.ndarray:
    """A tensor as rows of output units; a vector is one row."""
    return numbers.reshape(1, -1) if numbers.ndim < 2 else numbers.reshape(len(numbers), -1)


def layout_of(tensor: Shared, density: int) -> Layout:
    rows, columns = as_matrix(tensor.numbers).shape
    negative = int((tensor.codebook < 0).sum())
    group = max(1, min(tensor.group, columns))
    return Layout(rows, columns, tensor.width, group, len(tensor.codebook), negative, density * DENSITY_UNIT)


def encode_adaptive(tensors: Sequence[Shared], densities: Sequence[int]) -> tuple[bytes, dict[str, int]]:
    """All tensors in one stream, and how many of its bytes each took."""
    coder, mixer = Encoder(), new_mixer()
    sizes, before = {}, 0
    for tensor, density in zip(tensors, densities, strict=True):
        pass_matrix(as_matrix(tensor.numbers).copy(), layout_of(tensor, density), coder, mixer)
        sizes[tensor.name], before = len(coder.out) - before, len(coder.out)
    return coder.finish(), sizes


def decode_adaptive(data: bytes, tensors: Sequence[Shared], densities: Sequence[int]) -> None:
    """Fill the tensors' numbers, which are zeros, from a stream."""
    coder, mixer = Decoder(data), new_mixer()
    for tensor, density in zip(tensors, densities, strict=True):
        pass_matrix(as_matrix(tensor.numbers), layout_of(tensor, density), coder, mixer)
