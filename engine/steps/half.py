"""Half precision (FP16): store and compute in 16 bits, in every format that can."""

from __future__ import annotations

from dataclasses import dataclass

from engine.conversion.narrowing import NarrowModule, NarrowOnnx, NarrowProgram, NarrowScript


class Half:
    """What the steps of every format share."""

    name, title = "half", "Half precision (FP16)"
    dtype, width = "float16", "fp16"


@dataclass(frozen=True)
class HalfModule(Half, NarrowModule):
    """Store weights and compute in 16-bit floats; inputs and outputs stay float32.

    Halves the file and doubles the arithmetic of tensor cores. Values above 65,504 overflow.
    """


@dataclass(frozen=True)
class HalfScript(Half, NarrowScript):
    """Store weights and compute in 16-bit floats; inputs and outputs stay float32.

    Weights, constants and the types written into the script's graphs are changed.
    """


@dataclass(frozen=True)
class HalfProgram(Half, NarrowProgram):
    """Store weights and compute in 16-bit floats; inputs and outputs stay float32.

    The program is captured again with narrow weights and the same dynamic sizes.
    """


@dataclass(frozen=True)
class HalfOnnx(Half, NarrowOnnx):
    """Store weights and compute in 16-bit floats; inputs and outputs stay float32.

    Operators that exist in float32 alone keep it, with casts around them.
    """
