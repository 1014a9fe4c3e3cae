"""Bfloat16 (BF16): store and compute in 16 bits, in every format that can."""

from __future__ import annotations

from dataclasses import dataclass

from engine.conversion.narrowing import NarrowModule, NarrowOnnx, NarrowProgram, NarrowScript


class BFloat16:
    """What the steps of every format share."""

    name, title = "bfloat16", "Bfloat16 (BF16)"
    dtype, width = "bfloat16", "bf16"


@dataclass(frozen=True)
class BFloat16Module(BFloat16, NarrowModule):
    """Store weights and compute in bfloat16; inputs and outputs stay float32.

    The range of float32 with 8 bits of precision. Batch normalisation is folded first.
    """

    fold = True


@dataclass(frozen=True)
class BFloat16Script(BFloat16, NarrowScript):
    """Store weights and compute in bfloat16; inputs and outputs stay float32.

    Weights, constants and the types written into the script's graphs are changed.
    """


@dataclass(frozen=True)
class BFloat16Program(BFloat16, NarrowProgram):
    """Store weights and compute in bfloat16; inputs and outputs stay float32.

    The program is captured again with narrow weights and the same dynamic sizes.
    """


@dataclass(frozen=True)
class BFloat16Onnx(BFloat16, NarrowOnnx):
    """Store weights and compute in bfloat16; inputs and outputs stay float32.

    Operators that exist in float32 alone keep it, with casts around them.
    """
