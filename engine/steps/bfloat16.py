"""Bfloat16 (BF16): store and compute in 16 bits, in every format that can."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.artifact import Artifact
from engine.steps.base import Context, Step

DTYPE = "bfloat16"
PRECISION = "bf16"


@dataclass(frozen=True)
class BFloat16Module(Step):
    """Store weights and compute in bfloat16; inputs and outputs stay float32.

    The range of float32 with 8 bits of precision. Batch normalisation is folded first.
    """

    name = "bfloat16"
    title = "Bfloat16 (BF16)"
    formats = {"torch-module": "torch-module"}
    uses = ("examples",)
    requires = ("torch",)
    kind = "precision"
    cost = 0.8

    def apply(self, source: Artifact, context: Context) -> Artifact:
        from engine.conversion.module_precision import lower_module

        path, record = lower_module(source, context, DTYPE, fold=True, step=self.name)
        return source.derive("torch-module", path, precision=PRECISION, casts=record)

    @classmethod
    def replay(cls, module: Any, record: Mapping[str, Any]) -> Any:
        from engine.conversion.module_precision import replay

        return replay(module, record, DTYPE)


@dataclass(frozen=True)
class BFloat16Script(Step):
    """Store weights and compute in bfloat16; inputs and outputs stay float32.

    Weights, constants and the types written into the script's graphs are changed.
    """

    name = "bfloat16"
    title = "Bfloat16 (BF16)"
    formats = {"torchscript": "torchscript"}
    uses = ("examples",)
    requires = ("torch",)
    kind = "precision"

    def apply(self, source: Artifact, context: Context) -> Artifact:
        from engine.conversion.casting import refused, runs
        from engine.conversion.script_casting import cast_script
        from engine.conversion.scripts import save
        from engine.formats import torchscript
        from engine.torch_bridge import positional

        script = cast_script(torchscript.load(source.path), context.spec, DTYPE)
        path = save(script, context.folder)
        problem = runs(torchscript.load(path), positional(context.example(), context.spec))
        if problem:
            raise refused(problem, DTYPE) from problem
        return source.derive("torchscript", path, precision=PRECISION)


@dataclass(frozen=True)
class BFloat16Program(Step):
    """Store weights and compute in bfloat16; inputs and outputs stay float32.

    The program is captured again with narrow weights and the same dynamic sizes.
    """

    name = "bfloat16"
    title = "Bfloat16 (BF16)"
    formats = {"exported-program": "exported-program"}
    uses = ("examples",)
    requires = ("torch",)
    kind = "precision"

    def apply(self, source: Artifact, context: Context) -> Artifact:
        import torch

        from engine.conversion.program_casting import cast_program
        from engine.formats import exported_program
        from engine.torch_bridge import positional

        inputs = positional(context.example(), context.spec)
        program = cast_program(exported_program.load(source.path), inputs, DTYPE)
        path = context.folder / "model.pt2"
        torch.export.save(program, str(path))
        return source.derive("exported-program", path, precision=PRECISION)


@dataclass(frozen=True)
class BFloat16Onnx(Step):
    """Store weights and compute in bfloat16; inputs and outputs stay float32.

    Operators that exist in float32 alone keep it, with casts around them.
    """

    name = "bfloat16"
    title = "Bfloat16 (BF16)"
    formats = {"onnx": "onnx"}
    requires = ("onnx",)
    kind = "precision"

    def apply(self, source: Artifact, context: Context) -> Artifact:
        from engine.conversion.onnx_casting import lower_graph
        from engine.formats import onnx

        lowered = lower_graph(onnx.load(source.path), DTYPE)
        for each in lowered.warnings:
            context.warn(each)
        path = onnx.save(lowered.model, context.folder)
        return source.derive("onnx", path, precision=PRECISION, kept_float32=lowered.kept)
