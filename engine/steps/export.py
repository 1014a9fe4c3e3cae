"""Export a module: capture it as one graph with torch.export."""

from __future__ import annotations

from dataclasses import dataclass

from engine.artifact import Artifact
from engine.spec import ModelSpec
from engine.steps.base import Context, Step


@dataclass(frozen=True)
class Export(Step):
    """Capture the whole model as one graph of PyTorch operators, with its dynamic sizes.

    What AOTInductor and the current ONNX exporter start from. Branches on data are refused.
    """

    name = "export"
    title = "torch.export"
    formats = {"torch-module": "exported-program"}
    uses = ("examples",)
    requires = ("torch",)
    cost = 1.0

    @classmethod
    def accepts(cls, spec: ModelSpec) -> str | None:
        if spec.control_flow:
            return "the model branches or loops on its data, which torch.export can't capture; script keeps them"
        return None

    def check(self, spec: ModelSpec, device: str) -> str | None:
        if spec.state == "hidden":
            return "the model changes hidden state at each call, which a captured graph would freeze; use script"
        return None

    def apply(self, source: Artifact, context: Context) -> Artifact:
        import torch

        from engine.conversion.exporting import export_module
        from engine.formats import torch_module

        module = torch_module.load(source.path)
        context.progress(0.2, "Capturing the graph")
        exported = export_module(module, context.spec, context.example(), static=context.static_batch is not None)
        for name, size in exported.fixed.items():
            context.warn(f"The model could only be captured with {name} fixed at {size}.")
        path = context.folder / "model.pt2"
        torch.export.save(exported.program, str(path))
        facts = {"batch_size": context.static_batch} if context.static_batch is not None else {}
        return source.derive("exported-program", path, fixed=exported.fixed, trusted=True, **facts)
