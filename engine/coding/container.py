"""The compressed file: every tensor of a network by name, described by the file itself.

    OBDC  version  header  codebooks  plain tensors  streams  CRC-32

The header (deflated where that is shorter) gives each tensor's name, shape and method. `adaptive` tensors
share one arithmetic-coded stream; `rans` and `huffman` ones have a stream each; `plain` ones are stored in
their own type. The same contents always give the same bytes.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engine.coding.bytestream import Reader, Writer, damaged
from engine.coding.matrices import as_matrix, decode_adaptive, density_of, encode_adaptive
from engine.coding.streams import decode_tensor, encode_tensor, read_table, table
from engine.coding.tensors import Contents, Plain, Shared
from engine.errors import BadInput

MAGIC, VERSION = b"OBDC", 1
METHODS = ("plain", "adaptive", "rans", "huffman")
CODINGS = ("adaptive", "huffman")
TYPES = ("float32", "float16", "float64", "int64", "int32", "int16", "int8", "uint8", "bool")
ADAPTIVE_LIMIT = 1_000_000


def encode(contents: Contents, coding: str = "adaptive") -> bytes:
    """A network as one file.

    `adaptive` takes the context-mixing coder for the smallest tensors, up to a million places between live
    rows and columns in all, and rANS for the others; `huffman` is the paper's relative index with Huffman codes.
    """
    books: list[bytes] = []
    header, plain, streams = Writer(), bytearray(), Writer()
    header.number(len(contents.tensors))
    adaptive: list[tuple[Shared, int]] = []
    methods = methods_of(contents, coding)
    for tensor, method in zip(contents.tensors, methods, strict=True):
        describe(header, tensor, method, books)
        if isinstance(tensor, Plain):
            data = np.ascontiguousarray(tensor.array).tobytes()
            plain += data
            contents.sizes[tensor.name] = len(data)
            continue
        if method == "adaptive":
            adaptive.append((tensor, density_of(tensor.numbers)))
            continue
        data = encode_tensor(tensor, method)
        contents.sizes[tensor.name] = len(data)
        streams.block(data)
    header.number(len(books))
    for book in books:
        header.number(len(book) // 2)
    if adaptive:
        data, sizes = encode_adaptive(*zip(*adaptive, strict=True))
        contents.sizes.update(sizes)
        streams.block(data)
    out = Writer()
    out.out += MAGIC + bytes([VERSION])
    table(out, bytes(header.out))
    out.out += b"".join(books) + plain + streams.out
    return bytes(out.out) + struct.pack("<I", zlib.crc32(out.out))


def methods_of(contents: Contents, coding: str) -> list[str]:
    """How each tensor is stored."""
    methods = ["plain" if isinstance(each, Plain) else coding for each in contents.tensors]
    if coding == "huffman":
        return methods
    live = {}
    for number, each in enumerate(contents.tensors):
        if isinstance(each, Shared):
            matrix = as_matrix(each.numbers) != 0
            live[number] = int(matrix.any(1).sum()) * int(matrix.any(0).sum())
    places = 0
    for number in sorted(live, key=lambda each: live[each]):
        places += live[number]
        if places > ADAPTIVE_LIMIT:
            methods[number] = "rans"
    return methods


def describe(header: Writer, tensor: Shared | Plain, method: str, books: list[bytes]) -> None:
    """Write a tensor's name, shape and method; adds its codebook to `books` when it is new."""
    header.block(tensor.name.encode())
    shape = tensor.array.shape if isinstance(tensor, Plain) else tensor.numbers.shape
    header.number(METHODS.index(method) << 4 | len(shape))
    for size in shape:
        header.number(size)
    if isinstance(tensor, Plain):
        header.number(TYPES.index(type_name(tensor)))
        return
    book = tensor.codebook.astype("<f2").tobytes()
    if book not in books:
        books.append(book)
    header.number(books.index(book))
    if method == "adaptive":
        header.number(tensor.width)
        header.number(tensor.group)
        header.number(density_of(tensor.numbers))


def type_name(tensor: Plain) -> str:
    name = tensor.array.dtype.name
    if name not in TYPES:
        raise BadInput(f"{tensor.name} is of type {name}, which the compressed file can't hold.", "Keep it in float32.")
    return name


def decode(data: bytes) -> Contents:
    """The network that a file holds; raises BadInput, with one sentence, on anything else."""
    check(data)
    reader = Reader(data[5:-4])
    try:
        header = Reader(read_table(reader))
        entries = [read_entry(header) for _ in range(header.number())]
        books = [np.frombuffer(reader.take(2 * header.number()), "<f2") for _ in range(header.number())]
        return fill(entries, books, reader)
    except (ValueError, IndexError, UnicodeDecodeError, MemoryError, OverflowError) as error:
        raise damaged(f"its header makes no sense ({error})") from error


def check(data: bytes) -> None:
    """Refuse what is not a whole file of a known version."""
    if data[:4] != MAGIC:
        raise BadInput("This is no file made by Deep Compression here.", "Choose one whose name ends in .obdc.")
    if len(data) < 10 or struct.unpack("<I", data[-4:])[0] != zlib.crc32(data[:-4]):
        raise damaged("its checksum does not fit")
    if data[4] != VERSION:
        raise BadInput(
            f"This compressed file is of version {data[4]}; version {VERSION} is known.", "Update Optibench."
        )


Entry = tuple[str, str, tuple[int, ...], tuple[int, ...]]


def read_entry(header: Reader) -> Entry:
    """Name, method, shape, and the numbers that belong to the method."""
    name = header.block().decode()
    kind = header.number()
    method = METHODS[kind >> 4]
    shape = tuple(header.number() for _ in range(kind & 15))
    return name, method, shape, tuple(header.number() for _ in range(4 if method == "adaptive" else 1))


def fill(entries: Sequence[Entry], books: Sequence[np.ndarray], reader: Reader) -> Contents:
    """Read the tensors that the entries describe."""
    arrays: dict[str, np.ndarray] = {}
    for name, method, shape, facts in entries:
        if method == "plain":
            kind = np.dtype(TYPES[facts[0]])
            size = int(np.prod(shape, dtype=np.int64))
            arrays[name] = np.frombuffer(reader.take(size * kind.itemsize), kind).reshape(shape).copy()
    tensors: list[Shared | Plain] = []
    adaptive: list[tuple[Shared, int]] = []
    for name, method, shape, facts in entries:
        if method == "plain":
            tensors.append(Plain(name, arrays[name]))
            continue
        width, group = (facts[1], facts[2]) if method == "adaptive" else (0, 1)
        tensor = Shared(name, np.zeros(shape, np.int64), books[facts[0]], width, group)
        if method == "adaptive":
            adaptive.append((tensor, facts[3]))
        else:
            tensor.numbers[...] = decode_tensor(reader.block(), tensor, method)
        tensors.append(tensor)
    if adaptive:
        decode_adaptive(reader.block(), *zip(*adaptive, strict=True))
    return Contents(tuple(tensors))


def write(path: Path, contents: Contents, coding: str = "adaptive") -> int:
    """Write the file; returns its size in bytes."""
    data = encode(contents, coding)
    path.write_bytes(data)
    return len(data)


def read(path: Path) -> Contents:
    """Read a file that `write` wrote."""
    return decode(path.read_bytes())
