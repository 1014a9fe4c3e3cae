"""What every reader of data sets gives: samples as they lie in the file, not yet a model's inputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np


class Images(Protocol):
    """Image files that are decoded one at a time, because all of them may not fit in memory."""

    def __len__(self) -> int: ...

    def decode(self, indices: np.ndarray, size: tuple[int, int], channels: int) -> Iterator[np.ndarray]:
        """Each image as uint8 (height, width, channels)."""

    def take(self, indices: np.ndarray) -> Images:
        """The images at `indices`."""


@dataclass(frozen=True)
class RawData:
    """A data set as it was found.

    Exactly one of `arrays` (by name, first axis the samples), `images` and `columns` (of a table,
    by name, one value a sample) is filled. `labels` are class numbers or class names. `split` names
    each sample's split when the data set has its own.
    """

    name: str
    count: int
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    images: Images | None = None
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    labels: np.ndarray | None = None
    split: np.ndarray | None = None
    notes: tuple[str, ...] = ()
