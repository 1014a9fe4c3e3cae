"""What a compressed file holds: tensors of shared weights, and plain ones."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Shared:
    """A tensor as numbers into a codebook: 0 is zero, n is `codebook[n - 1]`.

    `width` and `group` tell the adaptive coder which columns are neighbours.
    """

    name: str
    numbers: np.ndarray
    codebook: np.ndarray
    width: int = 0
    group: int = 1

    def values(self) -> np.ndarray:
        """The weights in float32."""
        padded = np.concatenate([np.zeros(1, np.float32), self.codebook.astype(np.float32)])
        found: np.ndarray = padded[self.numbers]
        return found


@dataclass(frozen=True)
class Plain:
    """A tensor stored as it is, in its own dtype."""

    name: str
    array: np.ndarray

    def values(self) -> np.ndarray:
        return self.array


@dataclass(frozen=True)
class Contents:
    """All tensors of a network, in the order of its state, and how many bytes each took."""

    tensors: tuple[Shared | Plain, ...]
    sizes: dict[str, int] = field(default_factory=dict)

    def values(self) -> dict[str, np.ndarray]:
        """The network's state."""
        return {each.name: each.values() for each in self.tensors}
