"""The graph of an ONNX model for people to read: scopes of its node names are its modules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.model_graph import ModelGraph, Operation, build

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

LARGE_TENSOR = 1024
SCOPES, CLASSES = "pkg.torch.onnx.name_scopes", "pkg.torch.onnx.class_hierarchy"


def onnx_structure(model: ModelProto, weights: dict[str, int]) -> ModelGraph:
    """Read the nodes in order; `weights` says how many numbers each stored tensor holds.

    Shapes are inferred after the large tensors' values are dropped, so `model` must not be used for
    anything else afterwards.
    """
    graph = model.graph
    stored = {each.name for each in graph.initializer}
    shapes = inferred(model)
    makers: dict[str, frozenset[int]] = {}
    operations: list[Operation] = []
    for value in graph.input:
        if value.name not in stored:
            makers[value.name] = frozenset({len(operations)})
            operations.append(Operation(plain(value.name), "Input", shape=shapes.get(value.name, ())))
    modules: dict[str, str] = {}
    path, call = "", 0
    for node in graph.node:
        before, path = path, scope(node, modules)
        call += path != before
        sources = frozenset().union(*(makers.get(each, frozenset()) for each in node.input))
        if not sources or node.op_type == "Shape":
            continue  # constants and sizes are no data
        made = frozenset({len(operations)})
        makers.update({each: made for each in node.output if each})
        numbers = sum(weights.get(each, 0) for each in node.input)
        operations.append(Operation(path, node.op_type, sources, shapes.get(node.output[0], ()), numbers, call))
    for value in graph.output:
        after = makers.get(value.name, frozenset())
        operations.append(Operation(plain(value.name), "Output", after, shapes.get(value.name, ())))
    return build(operations, modules)


def plain(name: str) -> str:
    """A name without dots, which mean modules."""
    return name.replace(".", "_")


def scope(node: NodeProto, modules: dict[str, str]) -> str:
    """The module a node belongs to, dotted; notes the classes where the exporter kept them."""
    kept = {each.key: each.value for each in getattr(node, "metadata_props", ())}
    if SCOPES in kept:
        names, classes = listed(kept[SCOPES])[:-1], listed(kept.get(CLASSES, ""))
        path = next((each for each in reversed(names) if each), "")
        around = zip(names[:-1], classes, strict=False)  # the innermost is drawn as its operator
        modules.update({name: kind.rpartition(".")[2] for name, kind in around if name and kind})
        return path
    parts = node.name.strip("/").split("/")[:-1] if "/" in node.name else []
    return ".".join(tail(part, parts[index - 1] if index else "") for index, part in enumerate(parts))


def tail(part: str, before: str) -> str:
    """A part of a scope without the name of the one around it: `layer1.0` inside `layer1` is `0`."""
    return part.removeprefix(f"{before}.").replace(".", "_")


def listed(text: str) -> list[str]:
    """The names in what the exporter writes as a Python list."""
    import ast

    found = ast.literal_eval(text) if text else []
    return [str(each) for each in found]


def inferred(model: ModelProto) -> dict[str, tuple[int | str, ...]]:
    """The shape of every value that is known, by shape inference."""
    import onnx

    for each in model.graph.initializer:
        if len(each.raw_data) > LARGE_TENSOR:
            each.ClearField("raw_data")
    graph: GraphProto = onnx.shape_inference.infer_shapes(model).graph
    values = [*graph.input, *graph.value_info, *graph.output]
    return {each.name: dims(each) for each in values if each.type.tensor_type.HasField("shape")}


def dims(value: Any) -> tuple[int | str, ...]:
    """The dimensions of a declared value; `?` is unknown."""
    return tuple(
        each.dim_value if each.HasField("dim_value") else each.dim_param or "?"
        for each in value.type.tensor_type.shape.dim
    )
