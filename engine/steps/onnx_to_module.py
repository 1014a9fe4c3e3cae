"""ONNX to PyTorch module, with onnx2torch."""

from __future__ import annotations

from dataclasses import dataclass

from engine.artifact import Artifact
from engine.errors import StepFailed
from engine.spec import ModelSpec
from engine.steps.base import Context, Step


@dataclass(frozen=True)
class OnnxToModule(Step):
    """Rebuild an ONNX graph as a PyTorch module, so that PyTorch's runtimes and steps take it.

    The opset is converted down where onnx2torch needs it; an operator it does not know is named.
    """

    name = "onnx-to-module"
    title = "ONNX to module"
    formats = {"onnx": "torch-module"}
    uses = ("examples",)
    requires = ("torch", "onnx", "onnx2torch", "onnxruntime-gpu|onnxruntime")
    cost = 3.0

    def check(self, spec: ModelSpec, device: str) -> str | None:
        if spec.control_flow:
            return "the graph has branches or loops, which onnx2torch can't rebuild"
        return None

    def apply(self, source: Artifact, context: Context) -> Artifact:
        import onnx

        from engine.conversion.differences import TOLERANCE, relative_l2
        from engine.conversion.fidelity import outputs
        from engine.conversion.onnx_reading import rebuilt, run_onnx
        from engine.formats import onnx as onnx_format
        from engine.formats import torch_module

        context.progress(0.1, "Rebuilding the graph")
        graph, module = rebuilt(onnx_format.load(source.path), context.spec)
        example = context.example()
        expected = run_onnx(source, example)
        found = outputs(module, example, context.spec)
        error = str(found) if isinstance(found, Exception) else ""
        distance = float("inf") if isinstance(found, Exception) else relative_l2(expected, found)
        if error or distance > TOLERANCE.get(source.precision, TOLERANCE["fp32"]):
            problem = error.strip().splitlines()[-1][:200] if error else f"its relative error is {distance:.2g}"
            raise StepFailed(
                f"The rebuilt module does not do what the graph does: {problem}.", "Use ONNX Runtime for this model."
            )
        onnx.save(graph, str(context.folder / torch_module.CARRIED[1]))
        path = torch_module.write(context.folder, torch_module.GRAPH, {}, module.state_dict())
        return source.derive("torch-module", path)
