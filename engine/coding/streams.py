"""Code one tensor of codebook numbers by itself: distances and numbers, each with a code of its own."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from engine.coding import huffman, rans
from engine.coding.bytestream import Reader, Writer, damaged
from engine.coding.relative import from_gaps, gaps_of
from engine.coding.tensors import Shared

WIDE = 255
SPAN = {"conv": 255, "linear": 31}


def paper_span(shape: Sequence[int]) -> int:
    """The longest run of zeros of the paper: eight bits for convolutions, five for matrices."""
    return SPAN["conv" if len(shape) > 2 else "linear"]


def encode_tensor(tensor: Shared, method: str) -> bytes:
    """A tensor as bytes, with `huffman` as in the paper or with `rans`."""
    span = paper_span(tensor.numbers.shape) if method == "huffman" else WIDE
    gaps, values = gaps_of(tensor.numbers, span)
    out = Writer()
    out.number(len(gaps))
    write = huffman_stream if method == "huffman" else rans_stream
    for symbols, alphabet in ((gaps, span + 1), (values, len(tensor.codebook) + 1)):
        write(out, symbols, alphabet)
    return bytes(out.out)


def decode_tensor(data: bytes, tensor: Shared, method: str) -> np.ndarray:
    """The numbers of a tensor, in its shape; raises BadInput on damage."""
    span = paper_span(tensor.numbers.shape) if method == "huffman" else WIDE
    reader = Reader(data)
    count = reader.number()
    if count > tensor.numbers.size + 1:
        raise damaged("a tensor has more weights than places")
    read = read_huffman if method == "huffman" else read_rans
    gaps = read(reader, count, span + 1)
    values = read(reader, count, len(tensor.codebook) + 1)
    return from_gaps(gaps, values, tensor.numbers.size).reshape(tensor.numbers.shape)


def huffman_stream(out: Writer, symbols: np.ndarray, alphabet: int) -> None:
    lengths = huffman.code_lengths(np.bincount(symbols, minlength=alphabet))
    padded = np.append(lengths, np.zeros(len(lengths) % 2, dtype=np.int64)).astype(np.uint8)
    table(out, (padded[::2] << 4 | padded[1::2]).tobytes())
    data, starts = huffman.encode(symbols, lengths)
    out.out += starts[1:].astype("<u4").tobytes()
    out.block(data)


def read_huffman(reader: Reader, count: int, alphabet: int) -> np.ndarray:
    nibbles = np.frombuffer(read_table(reader), dtype=np.uint8)
    lengths = np.stack([nibbles >> 4, nibbles & 15], 1).reshape(-1)[:alphabet].astype(np.int64)
    if len(lengths) < alphabet:
        raise damaged("a code table is too short")
    lanes = -(-count // huffman.LANE)
    later = np.frombuffer(reader.take(4 * max(0, lanes - 1)), "<u4")
    starts = np.concatenate([np.zeros(min(1, lanes), np.int64), later.astype(np.int64)])
    return huffman.decode(reader.block(), starts, count, lengths)


def rans_stream(out: Writer, symbols: np.ndarray, alphabet: int) -> None:
    frequencies = rans.frequencies(np.bincount(symbols, minlength=alphabet))
    numbers = Writer()
    for each in frequencies.tolist():
        numbers.number(each)
    table(out, bytes(numbers.out))
    out.block(rans.encode(symbols, frequencies))


def read_rans(reader: Reader, count: int, alphabet: int) -> np.ndarray:
    numbers = Reader(read_table(reader))
    frequencies = np.array([numbers.number() for _ in range(alphabet)], dtype=np.int64)
    return rans.decode(reader.block(), count, frequencies)


def table(out: Writer, data: bytes) -> None:
    """A table, deflated where that is shorter; the first bit of its length says so."""
    packed = zlib.compress(data, 9, wbits=-15)
    chosen, flag = (packed, 1) if len(packed) < len(data) else (data, 0)
    out.number(len(chosen) << 1 | flag)
    out.out += chosen


def read_table(reader: Reader) -> bytes:
    size = reader.number()
    data = reader.take(size >> 1)
    if not size & 1:
        return data
    try:
        return zlib.decompress(data, wbits=-15)
    except zlib.error as error:
        raise damaged("a table can't be unpacked") from error
