"""Tell an ONNX file by its first bytes, without parsing it whole (it may be two gigabytes)."""

from __future__ import annotations

from pathlib import Path

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
WIRE_TYPES = {1: VARINT, 2: BYTES, 3: BYTES, 4: BYTES, 5: VARINT, 6: BYTES, 7: BYTES, 8: BYTES, 14: BYTES, 20: BYTES}
WIRE_TYPES |= {25: BYTES, 26: BYTES}
GRAPH, OPSET = 7, 8


def looks_like_model(path: Path) -> bool:
    """Whether the fields at the top level of the file are those of an ONNX ModelProto.

    A file cut off in mid-graph still looks like one, so that it is named as damaged ONNX.
    """
    size = path.stat().st_size
    position, seen = 0, set()
    with path.open("rb") as stream:
        while position < size:
            stream.seek(position)
            head = stream.read(24)
            tag, used = varint(head, 0)
            if tag is None or WIRE_TYPES.get(tag >> 3) != tag & 7:
                return False
            seen.add(tag >> 3)
            value, after = varint(head, used)
            if value is None:
                return False
            position += after + (value if tag & 7 == BYTES else 0)
            if tag >> 3 == 1 and not 1 <= value <= 1000:
                return False
            if tag & 7 == BYTES and tag >> 3 in (2, 3, 4) and value > 10_000:
                return False
    return GRAPH in seen and len(seen) > 1


def varint(data: bytes, start: int) -> tuple[int | None, int]:
    """Decode one varint; returns its value and the position after it, or None when there is none."""
    value = 0
    for offset in range(10):
        if start + offset >= len(data):
            return None, start
        byte = data[start + offset]
        value |= (byte & 0x7F) << (7 * offset)
        if not byte & 0x80:
            return value, start + offset + 1
    return None, start
