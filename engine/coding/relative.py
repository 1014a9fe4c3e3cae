"""Positions of non-zeros as distances to the one before (Han et al. 2015, section 2, figure 2)."""

from __future__ import annotations

import numpy as np

from engine.errors import BadInput


def gaps_of(numbers: np.ndarray, span: int) -> tuple[np.ndarray, np.ndarray]:
    """Zeros before each entry (0 to `span`) and the entries' numbers.

    A run of more than `span` zeros is broken by an entry that is itself a zero.
    """
    flat = numbers.reshape(-1)
    places = np.flatnonzero(flat)
    runs = np.diff(places, prepend=-1) - 1
    fillers = runs // (span + 1)
    ends = np.cumsum(fillers + 1) - 1
    gaps = np.full(int((fillers + 1).sum()), span, dtype=np.int64)
    values = np.zeros(len(gaps), dtype=np.int64)
    gaps[ends] = runs % (span + 1)
    values[ends] = flat[places]
    return gaps, values


def from_gaps(gaps: np.ndarray, values: np.ndarray, size: int) -> np.ndarray:
    """The flat tensor that `gaps_of` was given; raises BadInput when an entry lies outside it."""
    places = np.cumsum(gaps.astype(np.int64) + 1) - 1
    if len(places) and int(places[-1]) >= size:
        raise BadInput("The compressed file is damaged: a weight lies outside its tensor.", "Make it again.")
    flat = np.zeros(size, dtype=np.int64)
    flat[places] = values
    return flat
