"""PyTorch's errors, turned into ours where they have a known cause."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import NoReturn

from engine.conversion.casting import NO_KERNEL
from engine.errors import OptibenchError, OutOfMemory, Unsupported, first_line

OUT_OF_MEMORY = ("CUDA out of memory", "can't allocate memory")
JIT_FAILED = "The following operation failed in the TorchScript interpreter"


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turn PyTorch's errors into ours where they have a known cause."""
    try:
        yield
    except Exception as error:
        raise_translated(error)


def raise_translated(error: Exception) -> NoReturn:
    """Raise our error for a known cause, else the error itself."""
    known = translate(error)
    if known is error:
        raise error
    raise known from error


def translate(error: Exception) -> Exception:
    """OutOfMemory where memory ran out, the real sentence where the JIT buried it, else the error itself."""
    import torch

    text = str(error)
    if isinstance(error, OptibenchError):
        return error
    if isinstance(error, torch.cuda.OutOfMemoryError) or any(each in text for each in OUT_OF_MEMORY):
        line = next((each for each in text.splitlines() if "memory" in each), first_line(error)).strip()
        return OutOfMemory(f"Memory ran out: {line[:300]}", "Try a smaller batch size.")
    if "TorchScript" in text and "Expected all tensors to be on the same device" in text:
        return Unsupported(
            "This script makes tensors on the CPU by itself, so it can't run on a GPU.",
            "Trace or script the model again on the GPU, or take the device from its inputs.",
        )
    lacking = next((each.strip() for each in text.splitlines() if any(sign in each for sign in NO_KERNEL)), None)
    if lacking:
        return Unsupported(
            f"PyTorch has no kernel for this type on this device: {lacking[:240]}",
            "Choose another precision, or measure on a GPU.",
        )
    if text.startswith(JIT_FAILED):
        return OptibenchError(f"The script failed: {last_line(text)}", "The log has where in the model it happened.")
    return error


def last_line(text: str) -> str:
    """The last line that says something, where the JIT puts the error itself."""
    lines = [each.strip() for each in text.splitlines() if each.strip(" ~<-HER")]
    return lines[-1][:300]
