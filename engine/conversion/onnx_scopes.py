"""What is known about the values of an ONNX graph while it is rewritten, and small edits of graphs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine.conversion.onnx_constants import constant_value

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

FLOAT = 1  # TensorProto.FLOAT


@dataclass
class Scope:
    """One graph under way: what is known about its values, and the nodes of the new graph."""

    graph: GraphProto
    outer: Scope | None = None
    types: dict[str, int] = field(default_factory=dict)
    constants: dict[str, Any] = field(default_factory=dict)
    narrow: set[str] = field(default_factory=set)
    made: dict[tuple[str, bool], str] = field(default_factory=dict)
    nodes: list[NodeProto] = field(default_factory=list)

    def holder(self, name: str) -> Scope | None:
        """The innermost graph that defines a value."""
        scope: Scope | None = self
        while scope is not None and name not in scope.types and name not in scope.constants:
            scope = scope.outer
        return scope

    def is_float(self, name: str) -> bool:
        """Whether a value was float32 before anything was narrowed."""
        scope = self.holder(name)
        return scope is not None and (scope.types.get(name) == FLOAT or name in scope.constants)


def collect(scope: Scope) -> None:
    """Note the types of a graph's values and its floating constants; inputs with a default become constants."""
    graph = scope.graph
    constants = {each.name: each for each in graph.initializer}
    inputs = [each for each in graph.input if each.name not in constants]
    del graph.input[:]
    graph.input.extend(inputs)
    for each in (*graph.value_info, *graph.output, *graph.input):
        scope.types[each.name] = each.type.tensor_type.elem_type if each.type.HasField("tensor_type") else -1
    for name, tensor in constants.items():
        scope.types[name] = tensor.data_type
        if tensor.data_type == FLOAT:
            scope.constants[name] = tensor
    for node in graph.node:
        value = constant_value(node)
        if value is not None:
            scope.types[node.output[0]] = value.data_type
            if value.data_type == FLOAT:
                scope.constants[node.output[0]] = value
        for name in node.output:
            if name and not node.domain.startswith("ai.onnx") and node.domain:
                scope.types.setdefault(name, FLOAT)  # an operator of another domain: nothing else is known


def rename(nodes: Iterable[NodeProto], old: str, new: str) -> None:
    """Call a value something else in these nodes and in the graphs inside them."""
    for node in nodes:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                if name == old:
                    names[index] = new
        for attribute in node.attribute:
            if attribute.HasField("g"):
                rename(attribute.g.node, old, new)


def drop_unused(graph: GraphProto) -> None:
    """Remove the float32 form of constants that are used in narrow form alone, here and in inner graphs."""
    used = used_names(graph)
    for each in graphs_in(graph):
        kept = [tensor for tensor in each.initializer if tensor.name in used]
        del each.initializer[:]
        each.initializer.extend(kept)
        nodes = [node for node in each.node if node.op_type != "Constant" or set(node.output) & used]
        del each.node[:]
        each.node.extend(nodes)


def graphs_in(graph: GraphProto) -> Iterable[GraphProto]:
    """A graph and every graph inside its nodes."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from graphs_in(attribute.g)


def used_names(graph: GraphProto) -> set[str]:
    """Every name that a node reads or a graph gives."""
    return {
        name
        for each in graphs_in(graph)
        for name in (*(name for node in each.node for name in node.input), *(output.name for output in each.output))
    }
