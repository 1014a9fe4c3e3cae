"""Range asymmetric numeral systems with static tables, many lanes at once in NumPy: for tensors of millions.

Duda 2013, https://arxiv.org/abs/1311.2540; lanes share one stream of 16-bit words (Giesen 2014).
"""

from __future__ import annotations

import numpy as np

from engine.errors import BadInput

BITS = 14
LOW = np.int64(1 << 16)
SYMBOLS_A_LANE = 2048
MOST_LANES = 8192


def lanes_for(count: int) -> int:
    """How many states work side by side on a stream of so many symbols."""
    return max(1, min(MOST_LANES, count // SYMBOLS_A_LANE))


def frequencies(counts: np.ndarray) -> np.ndarray:
    """Counts scaled to a sum of 2**14, at least 1 where a symbol occurs. At most 2**13 symbols."""
    total = int(counts.sum())
    if not total:
        return np.zeros(len(counts), dtype=np.int64)
    scaled = np.where(counts > 0, np.maximum(1, counts.astype(np.int64) * (1 << BITS) // total), 0)
    excess = int(scaled.sum()) - (1 << BITS)
    while excess:
        largest = int(scaled.argmax())
        change = min(excess, int(scaled[largest]) - 1) if excess > 0 else excess
        change = min(change, max(1, int(scaled[largest]) // 8)) if excess > 0 else change
        scaled[largest] -= change
        excess -= change
    return scaled


def encode(symbols: np.ndarray, table: np.ndarray) -> bytes:
    """The symbols as final states of all lanes, then words."""
    lanes = lanes_for(len(symbols))
    starts = np.cumsum(table) - table
    states = np.full(lanes, LOW, dtype=np.int64)
    words: list[np.ndarray] = []
    for first in range((len(symbols) - 1) // lanes * lanes if len(symbols) else -1, -1, -lanes):
        row = symbols[first : first + lanes]
        state, frequency = states[: len(row)], table[row]
        full = state >= frequency << (32 - BITS)
        words.append((state[full] & 0xFFFF).astype("<u2"))
        state = np.where(full, state >> 16, state)
        states[: len(row)] = (state // frequency << BITS) + state % frequency + starts[row]
    return states.astype("<u4").tobytes() + b"".join(each.tobytes() for each in reversed(words))


def decode(data: bytes, count: int, table: np.ndarray) -> np.ndarray:
    """The symbols that `encode` was given; raises BadInput when the data ends too early."""
    lanes = lanes_for(count)
    symbol_at = np.repeat(np.arange(len(table)), table)
    starts = np.cumsum(table) - table
    if len(data) < 4 * lanes or (count and len(symbol_at) != 1 << BITS):
        raise BadInput("The compressed file is damaged: a stream is too short.", "Make it again.")
    states = np.frombuffer(data, "<u4", lanes).astype(np.int64)
    words = np.frombuffer(data[4 * lanes : len(data) - len(data) % 2], "<u2").astype(np.int64)
    found = np.zeros(count, dtype=np.int64)
    at = 0
    for first in range(0, count, lanes):
        state = states[: min(lanes, count - first)]
        slot = state & ((1 << BITS) - 1)
        symbols = symbol_at[slot]
        found[first : first + len(state)] = symbols
        state = table[symbols] * (state >> BITS) + slot - starts[symbols]
        empty = np.flatnonzero(state < LOW)
        if at + len(empty) > len(words):
            raise BadInput("The compressed file is damaged: a stream is too short.", "Make it again.")
        state[empty] = state[empty] << 16 | words[at : at + len(empty)]
        at += len(empty)
        states[: len(state)] = state
    return found
