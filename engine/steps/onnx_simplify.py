"""Simplify an ONNX graph with onnxslim."""

from __future__ import annotations

from dataclasses import dataclass

from engine.artifact import Artifact
from engine.errors import StepFailed
from engine.steps.base import Context, Step

INITIALIZERS_APART = 4
"""The IR version from which on stored weights need not be listed as inputs; onnxslim takes them off that list."""


@dataclass(frozen=True)
class OnnxSimplify(Step):
    """Fold constants, fuse and remove operators of an ONNX graph without changing what it computes.

    Runtimes do much of this when they load a model; a simpler graph loads faster and is easier to read.
    """

    name = "onnx-simplify"
    title = "Simplify ONNX"
    version = 2
    formats = {"onnx": "onnx"}
    requires = ("onnx", "onnxslim")
    cost = 0.5

    def apply(self, source: Artifact, context: Context) -> Artifact:
        import onnx
        import onnxslim

        from engine.formats import onnx as onnx_format

        model = onnx_format.load(source.path)
        before = len(model.graph.node)
        declared = [each.SerializeToString() for each in model.graph.output]
        try:
            slim = onnxslim.slim(model)
        except Exception as error:  # a graph rewriter raises whatever it trips over
            raise StepFailed(
                f"onnxslim can't simplify this graph: {type(error).__name__}: {error}",
                "Leave onnx-simplify out of the recipe.",
            ) from error
        for each, kept in zip(slim.graph.output, declared, strict=True):
            each.ParseFromString(kept)  # onnxslim's guess at a shape may be wrong, and runtimes insist on it
        outputs = {each.name for each in slim.graph.output}
        inner = [each for each in slim.graph.value_info if each.name not in outputs]  # nor is it repeated there
        del slim.graph.value_info[:]
        slim.graph.value_info.extend(inner)
        slim.ir_version = max(slim.ir_version, INITIALIZERS_APART)
        path = onnx_format.save(slim, context.folder)
        try:
            onnx.checker.check_model(str(onnx_format.model_path(path)))
        except onnx.checker.ValidationError as error:
            raise StepFailed(
                f"The simplified graph is not valid: {str(error).strip().splitlines()[0][:240]}",
                "Leave onnx-simplify out of the recipe.",
            ) from error
        return source.derive("onnx", path, operators={"before": before, "after": len(slim.graph.node)})
