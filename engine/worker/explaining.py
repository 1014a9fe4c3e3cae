"""Exceptions that nobody translated, as one sentence and a next step."""

from __future__ import annotations

from engine.errors import first_line
from engine.worker.protocol import Outcome

LOOK_AT_LOG = "The log has the details; the command below it reproduces this."
MEMORY_SIGNS = (
    "outofmemory",
    "out of memory",
    "can't allocate memory",
    "failed to allocate memory",
    "bad_alloc",
    "cuda_error_out_of_memory",
)
# What CUDA calls a fault, what happened, and what to try.
GPU_FAULTS = (
    (
        ("illegal memory access", "illegal address", "misaligned address", "unspecified launch failure"),
        "A kernel of this variant went wrong on the GPU, as far as we can tell in the library itself",
        "Turn the runtime's options off one at a time (CUDA graph, NHWC), or choose another runtime.",
    ),
    (
        ("device-side assert",),
        "A kernel met a value that is out of range on the GPU, such as an index beyond its table",
        "Give the integer inputs their range, and choose a data set that fits the model.",
    ),
    (
        ("gpu is lost", "fallen off the bus", "no cuda-capable device", "device(s) is/are busy", "uncorrectable ecc"),
        "The GPU stopped answering",
        "Check it with nvidia-smi, then retry; what was measured before is kept.",
    ),
)


def explain(error: Exception) -> Outcome:
    """Turn an exception that nobody translated into one sentence."""
    line = first_line(error)
    if is_out_of_memory(error):
        return Outcome("oom", {}, f"Memory ran out: {line}.", "Try a smaller batch size.")
    lowered = str(error).lower()
    for signs, happened, hint in GPU_FAULTS:
        if any(sign in lowered for sign in signs):
            return Outcome("failed", {}, f"{happened}: {line}.", hint)
    return Outcome("failed", {}, f"{type(error).__name__}: {line}.", LOOK_AT_LOG)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a library's exception means that memory ran out."""
    text = f"{type(error).__name__} {error}".lower()
    return isinstance(error, MemoryError) or any(sign in text for sign in MEMORY_SIGNS)
