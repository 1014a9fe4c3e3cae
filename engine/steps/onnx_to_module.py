"""ONNX to PyTorch module, with onnx2torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.artifact import Artifact
from engine.errors import Unsupported
from engine.spec import ModelSpec
from engine.steps.base import Context, Step


@dataclass(frozen=True)
class OnnxToModule(Step):
    """Rebuild an ONNX graph as a PyTorch module, so that PyTorch's runtimes and steps take it.

    The opset is converted down where onnx2torch needs it; an operator it does not know is named.
    """

    name = "onnx-to-module"
    title = "ONNX to module"
    version = 2
    formats = {"onnx": "torch-module"}
    uses = ("examples",)
    requires = ("torch", "onnx", "onnx2torch", "onnxruntime-gpu|onnxruntime")
    cost = 3.0

    def check(self, spec: ModelSpec, device: str) -> str | None:
        if spec.control_flow:
            return "the graph has branches or loops, which onnx2torch can't rebuild"
        return None

    def apply(self, source: Artifact, context: Context) -> Artifact:
        from engine.conversion.carried import save_graph
        from engine.conversion.differences import TOLERANCE, relative_l2
        from engine.conversion.fidelity import outputs
        from engine.conversion.onnx_reading import rebuilt, run_onnx
        from engine.formats import onnx as onnx_format
        from engine.formats import torch_module

        context.progress(0.1, "Rebuilding the graph")
        example = context.example()
        shapes = {name: np.shape(value) for name, value in example.items()}
        graph, module = rebuilt(onnx_format.load(source.path), context.spec, shapes)
        save_graph(graph, context.folder / torch_module.CARRIED[1])
        path = torch_module.write(context.folder, torch_module.GRAPH, {}, module.state_dict())
        context.progress(0.6, "Comparing it with the graph")
        found = outputs(torch_module.load(path), example, context.spec)
        expected = run_onnx(source, example)
        if isinstance(found, Exception):
            problem = str(found).strip().splitlines()[-1][:200].rstrip(".")
        else:
            distance = relative_l2(expected, found)
            close = distance <= TOLERANCE.get(source.precision, TOLERANCE["fp32"])
            problem = "" if close else f"its relative error is {distance:.2g}"
        if problem:
            raise Unsupported(
                f"onnx2torch does not rebuild this graph as it is: {problem}.",
                "Use ONNX Runtime for this model, or upload the PyTorch weights with an architecture.",
            )
        return source.derive("torch-module", path)
