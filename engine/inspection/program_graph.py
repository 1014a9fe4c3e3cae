"""The graph of an exported program for people to read: it keeps modules, their classes and shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.inspection.program import operator_name
from engine.model_graph import ModelGraph, Operation, build

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import Node


def program_graph(program: ExportedProgram) -> ModelGraph:
    """Read the nodes in order; what only constants and weights feed is left out."""
    signature = program.graph_signature
    names = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    sizes = {key: program.state_dict[name].numel() for key, name in names.items() if name in program.state_dict}
    asked = set(signature.user_inputs)
    operations: list[Operation] = []
    modules: dict[str, str] = {}
    calls: dict[str, int] = {}
    made: dict[Any, frozenset[int]] = {}
    for node in program.graph.nodes:
        sources = frozenset().union(*(made.get(each, frozenset()) for each in node.all_input_nodes))
        if node.op == "placeholder" and node.name in asked:
            operations.append(Operation(node.name, "Input", shape=shape_of(node)))
        elif node.op == "call_function" and sources:
            path, call = place(node, modules, calls)
            numbers = sum(sizes.get(each.name, 0) for each in node.all_input_nodes)
            operations.append(Operation(path, operator_name(node).strip("_"), sources, shape_of(node), numbers, call))
        else:
            continue
        made[node] = frozenset({len(operations) - 1})
    found = {each.name: each for each in program.graph.nodes}
    for index, name in enumerate(signature.user_outputs):
        if name in found:
            after = made.get(found[name], frozenset())
            operations.append(Operation(f"output{index}", "Output", after, shape_of(found[name])))
    return build(operations, modules)


def place(node: Node, modules: dict[str, str], calls: dict[str, int]) -> tuple[str, int]:
    """The module a node belongs to and which call of it; notes the classes of the modules around it."""
    stack = node.meta.get("nn_module_stack") or {}
    path, key = "", next(reversed(stack), "")
    for name, kind in stack.values():
        path = str(name)
        if path:
            modules[path] = str(getattr(kind, "__name__", kind)).rpartition(".")[2]
    return path, calls.setdefault(key, len(calls))


def shape_of(node: Node) -> tuple[int | str, ...]:
    """The shape of a node's value, with symbols as names."""
    value = node.meta.get("val")
    first = value[0] if isinstance(value, list | tuple) and value else value
    shape = getattr(first, "shape", ())
    return tuple(int(each) if isinstance(each, int) else str(each) for each in shape)
