"""A binary arithmetic coder with 16-bit probabilities, in integers alone, so that files decode on any machine.

Encoder and decoder have the same method `code`, so that a model which drives one drives the other.
"""

from __future__ import annotations

from typing import Protocol

TOP = 0xFFFFFFFF


class Coder(Protocol):
    """Passes one bit, of which `one` / 65536 is the probability that it is set; decoders ignore `bit`."""

    def code(self, bit: int, one: int) -> int: ...


class Encoder:
    """Collects coded bits; `finish` returns the bytes."""

    def __init__(self) -> None:
        self.low, self.high, self.out = 0, TOP, bytearray()

    def code(self, bit: int, one: int) -> int:
        low, high = self.low, self.high
        middle = low + ((high - low) * one >> 16)
        if bit:
            high = middle
        else:
            low = middle + 1
        while not (low ^ high) & 0xFF000000:
            self.out.append(high >> 24)
            low = low << 8 & TOP
            high = high << 8 & TOP | 0xFF
        self.low, self.high = low, high
        return bit

    def finish(self) -> bytes:
        """The coded bytes; as few as tell the last interval from its neighbours, zeros follow in the decoder."""
        for kept in (8, 16, 24, 32):
            step = 1 << (32 - kept)
            value = -(-self.low // step) * step
            if value <= self.high:
                self.out += value.to_bytes(4, "big")[: kept // 8]
                break
        while self.out and self.out[-1] == 0:
            self.out.pop()
        return bytes(self.out)


class Decoder:
    """Reads what Encoder wrote."""

    def __init__(self, data: bytes) -> None:
        self.data, self.position = data, 4
        self.low, self.high = 0, TOP
        self.value = int.from_bytes(data[:4].ljust(4, b"\0"), "big")

    def code(self, bit: int, one: int) -> int:
        low, high, value = self.low, self.high, self.value
        middle = low + ((high - low) * one >> 16)
        bit = int(value <= middle)
        if bit:
            high = middle
        else:
            low = middle + 1
        while not (low ^ high) & 0xFF000000:
            low = low << 8 & TOP
            high = high << 8 & TOP | 0xFF
            following = self.data[self.position] if self.position < len(self.data) else 0
            value = (value << 8 & TOP) | following
            self.position += 1
        self.low, self.high, self.value = low, high, value
        return bit
