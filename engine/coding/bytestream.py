"""Write and read the small numbers of a file: whole numbers in as many bytes as they need."""

from __future__ import annotations

from engine.errors import BadInput


def damaged(what: str) -> BadInput:
    """The one error of a file that can't be decoded."""
    return BadInput(f"The compressed file is damaged: {what}.", "Copy it again, or compress the model again.")


class Writer:
    """Collects bytes."""

    def __init__(self) -> None:
        self.out = bytearray()

    def number(self, value: int) -> None:
        """A whole number from 0: seven bits a byte, low ones first."""
        while value > 127:
            self.out.append(value & 127 | 128)
            value >>= 7
        self.out.append(value)

    def block(self, data: bytes) -> None:
        """Bytes with their number before them."""
        self.number(len(data))
        self.out += data


class Reader:
    """Reads what Writer wrote; raises BadInput at an early end."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def number(self) -> int:
        value, shift = 0, 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
            if shift > 63:
                raise damaged("a number has no end")

    def block(self) -> bytes:
        return self.take(self.number())

    def take(self, count: int) -> bytes:
        part = self.data[self.at : self.at + count]
        if len(part) < count:
            raise damaged("it ends too early")
        self.at += count
        return part
