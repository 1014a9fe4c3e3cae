"""Steps that store and compute in 16-bit floats: one class a format, shared by the widths there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from engine.artifact import Artifact
from engine.errors import Unsupported
from engine.steps.base import Context, Step

SIXTEEN_BITS = ("fp16", "bf16")


@dataclass(frozen=True)
class Narrow(Step):
    """`dtype` is PyTorch's name of the type, `width` ours; with `fold`, batch normalisation is folded first."""

    kind = "precision"
    dtype: ClassVar[str]
    width: ClassVar[str]
    fold: ClassVar[bool] = False

    def require_wide(self, source: Artifact) -> None:
        """Raise Unsupported for an artifact that has 16-bit floats already: nothing would be won."""
        if source.precision in SIXTEEN_BITS:
            already = "already " if source.precision == self.width else ""
            raise Unsupported(
                f"The model is {already}stored in {source.precision.upper()}, so {self.title} makes nothing smaller.",
                f"Leave {self.name} out, or upload the model in float32.",
            )


@dataclass(frozen=True)
class NarrowModule(Narrow):
    """A module with narrow weights, and casts at its border."""

    formats = {"torch-module": "torch-module"}
    uses = ("examples",)
    requires = ("torch",)
    cost = 0.8

    def apply(self, source: Artifact, context: Context) -> Artifact:
        from engine.conversion.module_precision import lower_module

        self.require_wide(source)
        path, record = lower_module(source, context, self.dtype, fold=self.fold, step=self.name)
        return source.derive("torch-module", path, precision=self.width, casts=record)

    @classmethod
    def replay(cls, module: Any, record: Mapping[str, Any]) -> Any:
        from engine.conversion.module_precision import replay

        return replay(module, record, cls.dtype)


@dataclass(frozen=True)
class NarrowScript(Narrow):
    """A script whose weights, constants and the types written into its graphs are changed."""

    formats = {"torchscript": "torchscript"}
    uses = ("examples",)
    requires = ("torch",)

    def apply(self, source: Artifact, context: Context) -> Artifact:
        from engine.conversion.casting import refused, runs
        from engine.conversion.script_casting import cast_script
        from engine.conversion.scripts import save
        from engine.formats import torchscript
        from engine.torch_bridge import positional

        self.require_wide(source)
        script = cast_script(torchscript.load(source.path), context.spec, self.dtype)
        path = save(script, context.folder)
        problem = runs(torchscript.load(path), positional(context.example(), context.spec))
        if problem:
            raise refused(problem, self.dtype) from problem
        return source.derive("torchscript", path, precision=self.width)


@dataclass(frozen=True)
class NarrowProgram(Narrow):
    """A program captured again with narrow weights and the same dynamic sizes."""

    formats = {"exported-program": "exported-program"}
    uses = ("examples",)
    requires = ("torch",)

    def apply(self, source: Artifact, context: Context) -> Artifact:
        import torch

        from engine.conversion.program_casting import cast_program
        from engine.formats import exported_program
        from engine.torch_bridge import positional

        self.require_wide(source)
        inputs = positional(context.example(), context.spec)
        program = cast_program(exported_program.load(source.path), inputs, self.dtype)
        path = context.folder / "model.pt2"
        torch.export.save(program, str(path))
        return source.derive("exported-program", path, precision=self.width)


@dataclass(frozen=True)
class NarrowOnnx(Narrow):
    """A graph whose operators compute in the narrow type, but for those that exist in float32 alone."""

    formats = {"onnx": "onnx"}
    requires = ("onnx",)

    def apply(self, source: Artifact, context: Context) -> Artifact:
        from engine.conversion.onnx_casting import lower_graph
        from engine.formats import onnx

        self.require_wide(source)
        lowered = lower_graph(onnx.load(source.path), self.dtype)
        for each in lowered.warnings:
            context.warn(each)
        path = onnx.save(lowered.model, context.folder)
        return source.derive("onnx", path, precision=self.width, kept_float32=lowered.kept)
