"""Canonical Huffman codes, written and read with NumPy: long streams are cut into lanes read side by side."""

from __future__ import annotations

import heapq

import numpy as np

LONGEST = 15
LANE = 4096


def code_lengths(counts: np.ndarray) -> np.ndarray:
    """Bits of each symbol's code, at most 15; 0 for symbols that never occur."""
    scaled = counts.astype(np.int64)
    while True:
        lengths = tree_depths(scaled)
        if int(lengths.max(initial=0)) <= LONGEST:
            return lengths
        scaled = np.where(scaled > 0, scaled // 2 + 1, 0)  # flatter counts make a shallower tree


def tree_depths(counts: np.ndarray) -> np.ndarray:
    """The depth of each symbol in a Huffman tree; a lone symbol gets one bit."""
    lengths = np.zeros(len(counts), dtype=np.int64)
    used = np.flatnonzero(counts)
    if len(used) == 1:
        lengths[used] = 1
        return lengths
    heap = [(int(counts[symbol]), int(symbol), [int(symbol)]) for symbol in used]
    heapq.heapify(heap)
    while len(heap) > 1:
        first, second = heapq.heappop(heap), heapq.heappop(heap)
        members = first[2] + second[2]
        lengths[members] += 1
        heapq.heappush(heap, (first[0] + second[0], min(first[1], second[1]), members))
    return lengths


def canonical(lengths: np.ndarray) -> np.ndarray:
    """The codes that follow from their lengths: shorter ones first, symbols in order."""
    codes = np.zeros(len(lengths), dtype=np.int64)
    code, before = 0, 0
    for symbol in np.lexsort((np.arange(len(lengths)), lengths)):
        if lengths[symbol]:
            code <<= int(lengths[symbol]) - before
            before = int(lengths[symbol])
            codes[symbol] = code
            code += 1
    return codes


def encode(symbols: np.ndarray, lengths: np.ndarray) -> tuple[bytes, np.ndarray]:
    """The bits of all symbols, and the bit at which each lane of 4096 symbols starts."""
    codes, taken = canonical(lengths)[symbols], lengths[symbols]
    ends = np.cumsum(taken)
    starts = ends - taken
    bits = np.zeros(int(ends[-1]) if len(ends) else 0, dtype=np.uint8)
    for place in range(int(taken.max(initial=0))):
        inside = taken > place
        bits[starts[inside] + place] = codes[inside] >> (taken[inside] - 1 - place) & 1
    return np.packbits(bits).tobytes(), starts[::LANE]


def decode(data: bytes, starts: np.ndarray, count: int, lengths: np.ndarray) -> np.ndarray:
    """The symbols that `encode` was given, all lanes at once."""
    symbol_at, length_at = lookup(lengths)
    buffer = np.frombuffer(data + b"\0" * 8, dtype=np.uint8).astype(np.int64)
    at = starts.astype(np.int64).copy()
    found = np.zeros((len(at), LANE), dtype=np.int64)
    sizes = np.minimum(LANE, count - np.arange(len(at)) * LANE)
    limit = len(buffer) - 4
    for step in range(int(sizes.max(initial=0))):
        byte = np.minimum(at >> 3, limit)
        window = buffer[byte] << 16 | buffer[byte + 1] << 8 | buffer[byte + 2]
        peek = window >> (24 - LONGEST - (at & 7)) & ((1 << LONGEST) - 1)
        found[:, step] = symbol_at[peek]
        at += length_at[peek]
    return found.reshape(-1)[: count if len(at) else 0]


def lookup(lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Symbol and code length for every 15 bits that may come next."""
    symbols = np.zeros(1 << LONGEST, dtype=np.int64)
    sizes = np.ones(1 << LONGEST, dtype=np.int64)
    for symbol, code in enumerate(canonical(lengths)):
        if lengths[symbol]:
            shift = LONGEST - int(lengths[symbol])
            symbols[code << shift : (code + 1) << shift] = symbol
            sizes[code << shift : (code + 1) << shift] = lengths[symbol]
    return symbols, sizes
