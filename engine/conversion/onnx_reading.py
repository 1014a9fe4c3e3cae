"""ONNX graphs as PyTorch modules, and run as they are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.artifact import Artifact
from engine.conversion.onnx_rewriting import plainer, replace_attributes
from engine.errors import StepFailed, Unsupported
from engine.spec import ModelSpec

if TYPE_CHECKING:
    from onnx import ModelProto

OPSETS = (18, 17, 16, 15, 14, 13, 12, 11)
# Operators whose later versions only take more types: the converter of an earlier version does.
SAME_MEANING = {
    "Cast", "Concat", "Constant", "ConstantOfShape", "Equal", "Expand", "Flatten", "Gather", "Greater",
    "GreaterOrEqual", "Identity", "IsInf", "IsNaN", "Less", "LessOrEqual", "Mod", "Pad", "Reshape",
    "ScatterND", "Shape", "Size", "Slice", "Squeeze", "Transpose", "Unsqueeze", "Where",
}  # fmt: skip
OPERATOR = re.compile(r"operation_type='(?P<name>\w+)', version=(?P<version>\d+)")


def rebuilt(model: ModelProto, spec: ModelSpec, shapes: Mapping[str, tuple[int, ...]]) -> tuple[ModelProto, Any]:
    """The graph in an opset that onnx2torch takes, and the module made of it; `shapes` has its inputs' sizes.

    Raises Unsupported naming the operator that stops it.
    """
    import onnx

    order_inputs(model, spec)
    without_allowzero(model)
    plainer(model, shapes)
    current = max((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), default=1)
    problem: Exception | None = None
    for opset in (current, *(each for each in OPSETS if each != current)):
        try:
            graph = model if opset == current else onnx.version_converter.convert_version(model, opset)
            return graph, convert(graph)
        except Exception as error:  # both libraries raise whatever they trip over
            problem = error if isinstance(error, NotImplementedError) or problem is None else problem
    assert problem is not None
    stopped = OPERATOR.search(str(problem))
    what = f"the operator {stopped['name']} (version {stopped['version']})" if stopped else str(problem).strip()[:240]
    raise Unsupported(
        f"onnx2torch can't rebuild this graph: {what} stops it.",
        "Use ONNX Runtime or TensorRT, or upload the PyTorch weights with an architecture.",
    ) from problem


def convert(graph: ModelProto) -> Any:
    """The module of a graph; shapes that are constants are written into it, so that torch.export can follow."""
    import onnx2torch

    versions = {each.domain: each.version for each in graph.opset_import}
    for node in graph.graph.node:
        if node.op_type in SAME_MEANING and node.domain == "":
            adopt_earlier_converter(node.op_type, versions.get("", 1))
    module = onnx2torch.convert(graph).eval()
    settle_shapes(module)
    return module


def adopt_earlier_converter(name: str, version: int) -> None:
    """Register the converter of the nearest earlier version of an operator where this one has none."""
    from onnx import defs
    from onnx2torch.node_converters.registry import add_converter, get_converter

    since = defs.get_schema(name, max_inclusive_version=version, domain="").since_version
    for earlier in range(since, 0, -1):
        try:
            known = get_converter(name, earlier)
        except NotImplementedError:
            continue
        if earlier != since:
            add_converter(name, since)(known)
        return


def settle_shapes(module: Any) -> None:
    """Replace every Reshape to a constant shape by one that does not look at a tensor's values."""
    layers = dict(module.named_modules())
    for node in list(module.graph.nodes):
        if node.op != "call_module" or type(layers[node.target]).__name__ != "OnnxReshape" or len(node.args) < 2:
            continue
        shape = node.args[1]
        if shape.op != "get_attr":
            continue
        owner, _, name = shape.target.rpartition(".")
        values = tuple(int(each) for each in getattr(module.get_submodule(owner), name))
        with module.graph.inserting_before(node):
            node.replace_all_uses_with(module.graph.call_function(reshaped, (node.args[0], values)))
        module.graph.erase_node(node)
    module.recompile()


def reshaped(value: Any, shape: tuple[int, ...]) -> Any:
    """ONNX's Reshape to a constant shape, where 0 keeps a dimension."""
    return value.reshape([value.shape[axis] if size == 0 else size for axis, size in enumerate(shape)])


def without_allowzero(model: ModelProto) -> None:
    """Drop Reshape's `allowzero`, which onnx2torch refuses and which only empty tensors would notice."""
    for node in model.graph.node:
        if node.op_type == "Reshape":
            replace_attributes(node, {}, without=("allowzero",))


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
