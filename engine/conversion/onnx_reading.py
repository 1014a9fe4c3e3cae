"""ONNX graphs as PyTorch modules, and run as they are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.artifact import Artifact
from engine.errors import StepFailed, Unsupported
from engine.spec import ModelSpec

if TYPE_CHECKING:
    from onnx import ModelProto

OPSETS = (18, 17, 16, 15, 14, 13, 12, 11)
OPERATOR = re.compile(r"operation_type='(?P<name>\w+)', version=(?P<version>\d+)")


def rebuilt(model: ModelProto, spec: ModelSpec) -> tuple[ModelProto, Any]:
    """The graph in an opset that onnx2torch takes, and the module made of it.

    Raises Unsupported naming the operator that stops it.
    """
    import onnx
    from onnx2torch import convert

    order_inputs(model, spec)
    without_allowzero(model)
    current = max((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), default=1)
    problem: Exception | None = None
    for opset in (current, *(each for each in OPSETS if each < current)):
        try:
            graph = model if opset == current else onnx.version_converter.convert_version(model, opset)
            return graph, convert(graph).eval()
        except Exception as error:  # both libraries raise whatever they trip over
            problem = error if isinstance(error, NotImplementedError) or problem is None else problem
    assert problem is not None
    stopped = OPERATOR.search(str(problem))
    what = f"the operator {stopped['name']} (version {stopped['version']})" if stopped else str(problem).strip()[:240]
    raise Unsupported(
        f"onnx2torch can't rebuild this graph: {what} stops it.",
        "Use ONNX Runtime or TensorRT, or upload the PyTorch weights with an architecture.",
    ) from problem


def without_allowzero(model: ModelProto) -> None:
    """Drop Reshape's `allowzero`, which onnx2torch refuses and which only empty tensors would notice."""
    for node in model.graph.node:
        if node.op_type == "Reshape":
            kept = [each for each in node.attribute if each.name != "allowzero"]
            del node.attribute[:]
            node.attribute.extend(kept)


def order_inputs(model: ModelProto, spec: ModelSpec) -> None:
    """Put the graph's inputs into the order of the spec, which is how modules are called."""
    stored = {each.name for each in model.graph.initializer}
    given = {each.name: each for each in model.graph.input if each.name not in stored}
    names = [each.name for each in spec.inputs]
    if set(names) != set(given):
        raise StepFailed(
            f"The graph's inputs are {', '.join(given)}, and the model's are {', '.join(names)}.",
            "Upload the ONNX file itself to convert it to a module.",
        )
    del model.graph.input[:]
    model.graph.input.extend(given[name] for name in names)


def run_onnx(artifact: Artifact, feeds: Mapping[str, Any]) -> list[np.ndarray]:
    """What the graph computes in ONNX Runtime on the CPU."""
    import onnxruntime

    from engine.formats.onnx import model_path

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(model_path(artifact.path)), options, providers=["CPUExecutionProvider"])
    found: list[np.ndarray] = session.run(None, {each.name: feeds[each.name] for each in session.get_inputs()})
    return found
