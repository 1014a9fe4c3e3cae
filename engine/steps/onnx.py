"""Convert to ONNX, from every PyTorch format, by either of PyTorch's exporters."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.artifact import Artifact
from engine.errors import StepFailed, Unsupported
from engine.plugin import option
from engine.spec import ModelSpec
from engine.steps.base import Context, Step

EXPORTERS = ("auto", "dynamo", "torchscript")
EXPORTER_HELP = "Which of PyTorch's exporters writes the graph; auto takes the one that suits the format and the opset"
OPSET_HELP = "Version of the ONNX operator set; 0 takes 18, or 22 for bfloat16, which earlier convolutions do not know"
HIDDEN = "the model changes hidden state at each call, which an ONNX graph can't; upload an export with explicit state"


@dataclass(frozen=True)
class OnnxFromModule(Step):
    """Write the model as an ONNX graph, which ONNX Runtime and TensorRT open.

    The Dynamo exporter captures the model first; the TorchScript exporter traces it. `auto` takes the
    first, and the second with a warning where the first fails.
    """

    name = "onnx"
    title = "ONNX"
    formats = {"torch-module": "onnx"}
    uses = ("examples",)
    requires = ("torch", "onnx", "onnxscript")
    cost = 1.6

    exporter: str = option("auto", EXPORTER_HELP, choices=EXPORTERS)
    opset: int = option(0, OPSET_HELP, min=0, max=23)

    @classmethod
    def accepts(cls, spec: ModelSpec) -> str | None:
        if spec.control_flow:
            return (
                "the model branches or loops on its data, which neither exporter keeps from a module; script keeps them"
            )
        return None

    def check(self, spec: ModelSpec, device: str) -> str | None:
        from engine.conversion.onnx_export import chosen_exporter, opset_reason

        if spec.state == "hidden":
            return HIDDEN
        return opset_reason(chosen_exporter(self.exporter, self.opset, default="dynamo"), self.opset)

    def apply(self, source: Artifact, context: Context) -> Artifact:
        from engine.conversion.exporting import BranchesOnData
        from engine.conversion.onnx_export import chosen_exporter, from_script, opset_reason, written_opset
        from engine.formats import torch_module

        module = torch_module.load(source.path)
        static = context.static_batch is not None
        exporter = chosen_exporter(self.exporter, self.opset, default="dynamo")
        facts: dict[str, Any] = {"batch_size": context.static_batch} if static else {}
        if exporter == "dynamo":
            opset = written_opset(self.opset, source.precision, exporter)
            try:
                path, fixed = by_dynamo(module, context, opset, static=static)
                return source.derive("onnx", path, exporter=exporter, opset=opset, fixed=fixed, **facts)
            except (StepFailed, Unsupported) as error:
                if (
                    self.exporter != "auto"
                    or isinstance(error, BranchesOnData)
                    or opset_reason("torchscript", self.opset)
                ):
                    raise
                context.warn(f"Written by the TorchScript exporter instead, which traces the model. {error.reason}")
        context.progress(0.5, "Tracing and converting")
        opset = written_opset(self.opset, source.precision, "torchscript")
        path = from_script(module, context.spec, context.example(), context.folder, opset=opset, static=static)
        return source.derive("onnx", path, exporter="torchscript", opset=opset, **facts)


def by_dynamo(module: Any, context: Context, opset: int, *, static: bool) -> tuple[Path, dict[str, int]]:
    """Capture and convert a module; returns the path and the sizes that had to be fixed."""
    from engine.conversion.exporting import export_module
    from engine.conversion.onnx_export import from_program

    context.progress(0.1, "Capturing the graph")
    exported = export_module(module, context.spec, context.example(), static=static)
    for name, size in exported.fixed.items():
        context.warn(f"The model could only be captured with {name} fixed at {size}.")
    context.progress(0.4, "Converting operators")
    return from_program(exported.program, context.spec, context.folder, opset=opset), exported.fixed


@dataclass(frozen=True)
class OnnxFromProgram(Step):
    """Write an exported program as an ONNX graph with the Dynamo exporter."""

    name = "onnx"
    title = "ONNX"
    formats = {"exported-program": "onnx"}
    uses = ("examples",)
    requires = ("torch", "onnx", "onnxscript")
    cost = 1.0

    exporter: str = option("auto", EXPORTER_HELP, choices=EXPORTERS)
    opset: int = option(0, OPSET_HELP, min=0, max=23)

    def check(self, spec: ModelSpec, device: str) -> str | None:
        from engine.conversion.onnx_export import opset_reason

        if self.exporter == "torchscript":
            return "the TorchScript exporter takes modules and scripts, not exported programs"
        return opset_reason("dynamo", self.opset)

    def apply(self, source: Artifact, context: Context) -> Artifact:
        from engine.conversion.onnx_export import from_program, written_opset
        from engine.conversion.program_shapes import at_static_sizes
        from engine.formats import exported_program

        program = exported_program.load(source.path)
        facts: dict[str, Any] = {}
        if context.static_batch is not None:
            program = at_static_sizes(program, context.spec, context.example())
            facts["batch_size"] = context.static_batch
        context.progress(0.3, "Converting operators")
        opset = written_opset(self.opset, source.precision, "dynamo")
        path = from_program(program, context.spec, context.folder, opset=opset)
        return source.derive("onnx", path, exporter="dynamo", opset=opset, **facts)


@dataclass(frozen=True)
class OnnxFromScript(Step):
    """Write a script as an ONNX graph with the TorchScript exporter, branches and loops included."""

    name = "onnx"
    title = "ONNX"
    formats = {"torchscript": "onnx"}
    uses = ("examples",)
    requires = ("torch", "onnx")
    cost = 2.0

    exporter: str = option("auto", EXPORTER_HELP, choices=EXPORTERS)
    opset: int = option(0, OPSET_HELP, min=0, max=23)

    def check(self, spec: ModelSpec, device: str) -> str | None:
        from engine.conversion.onnx_export import opset_reason

        if spec.state == "hidden":
            return HIDDEN
        if self.exporter == "dynamo":
            return "the Dynamo exporter takes no scripts; name torchscript-to-program first"
        return opset_reason("torchscript", self.opset)

    def apply(self, source: Artifact, context: Context) -> Artifact:
        from engine.conversion.onnx_export import from_script, written_opset
        from engine.formats import torchscript

        static = context.static_batch is not None
        facts: dict[str, Any] = {"batch_size": context.static_batch} if static else {}
        script = torchscript.load(source.path)
        context.progress(0.2, "Converting operators")
        opset = written_opset(self.opset, source.precision, "torchscript")
        path = from_script(script, context.spec, context.example(), context.folder, opset=opset, static=static)
        return source.derive("onnx", path, exporter="torchscript", opset=opset, **facts)
