"""ONNX Runtime's errors, turned into ours where they have a known cause."""

from __future__ import annotations

from typing import NoReturn

from engine.errors import BadInput, OptibenchError, OutOfMemory, Unsupported

WRONG_BUFFER = (
    "pre-allocated output",
    "attempting to re-use buffer",
    "Invalid rank for output",
    "Got invalid dimensions for output",
)


def wrong_buffer(error: Exception) -> bool:
    """Whether an output did not have the shape of the buffer made for it (the words differ by version)."""
    text = str(error)
    return any(sign in text for sign in WRONG_BUFFER)


def raise_translated(error: Exception) -> NoReturn:
    """Raise our error for a known cause, else the error itself."""
    known = translate(error)
    if known is error:
        raise error
    raise known from error


def translate(error: Exception) -> Exception:
    """OutOfMemory, Unsupported or BadInput where ONNX Runtime's words allow it, else the error itself."""
    if isinstance(error, OptibenchError):
        return error
    text = str(error)
    lowered = text.lower()
    line = text.splitlines()[0][:300] if text else type(error).__name__
    if "failed to allocate memory" in lowered or "out of memory" in lowered or "bad_alloc" in lowered:
        return OutOfMemory(f"Memory ran out: {line}", "Try a smaller batch size.")
    if "cuda graph" in lowered or "cudagraph" in lowered or "graph capture" in lowered:
        return Unsupported(f"This graph can't be captured into a CUDA graph: {line}", "Turn the CUDA graph off.")
    if "ProcessInitializers" in text:
        return Unsupported(
            "ONNX Runtime can't split this graph between this provider and the CPU: placing its initializers failed.",
            "Choose the CUDA provider; graphs with branches or loops are what this happens to.",
        )
    if type(error).__name__ == "NotImplemented":
        return Unsupported(
            f"ONNX Runtime has no kernel for this graph: {line}", "Choose another precision or provider."
        )
    if type(error).__name__ in ("InvalidGraph", "InvalidProtobuf", "NoSuchFile"):
        return BadInput(f"ONNX Runtime can't read this file: {line}", "Export the model again.")
    return error
