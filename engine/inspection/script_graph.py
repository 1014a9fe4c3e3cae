"""The graph of a TorchScript file, read module by module without running it; it holds no shapes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from engine.model_graph import ModelGraph, Operation, build


@dataclass
class Reading:
    """What was read so far."""

    operations: list[Operation] = field(default_factory=list)
    classes: dict[str, str] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    calls: int = 0

    def add(self, operation: Operation) -> frozenset[int]:
        """Add one operator; gives what stands for its result."""
        self.operations.append(operation)
        return frozenset({len(self.operations) - 1})


def script_graph(module: Any) -> ModelGraph:
    """Read a loaded script's `forward` and everything it calls."""
    reading = Reading()
    values = list(module.graph.inputs())[1:]
    given = [reading.add(Operation(each.debugName().partition(".")[0], "Input")) for each in values]
    results = walk(reading, module, "forward", "", given)
    for index, each in enumerate(results):
        reading.add(Operation(f"output{index}", "Output", each))
    return build(reading.operations, reading.classes)


def walk(reading: Reading, module: Any, method: str, path: str, given: list[frozenset[int]]) -> list[frozenset[int]]:
    """Read one method of one module; `given` says what made its arguments, and so does the answer for its results."""
    reading.calls += 1
    graph = module._c._get_method(method).graph  # a method may be called as one that every module has
    known: dict[str, frozenset[int]] = {}
    for value, made in zip(list(graph.inputs())[1:], given, strict=False):
        known[value.debugName()] = made
    modules = {next(iter(graph.inputs())).debugName(): (path, module)}
    read_block(reading, graph, path, reading.calls, known, modules)
    return [known.get(each.debugName(), frozenset()) for each in graph.outputs()]


def read_block(
    reading: Reading, block: Any, path: str, call: int, known: dict[str, frozenset[int]], modules: dict[str, Any]
) -> None:
    """Read the nodes of a graph, or of one side of a branch or the body of a loop."""
    for node in block.nodes():
        kind = node.kind()
        values = [each.debugName() for each in node.inputs()]
        outputs = [each.debugName() for each in node.outputs()]
        if kind == "prim::GetAttr" and values[0] in modules:
            owner, module = modules[values[0]]
            member = part(module, node.s("name"))
            if hasattr(member, "named_modules"):
                inner = f"{owner}.{node.s('name')}".lstrip(".")
                modules[outputs[0]] = (inner, member)
                reading.classes[inner] = getattr(member, "original_name", type(member).__name__)
            continue
        sources = frozenset().union(*(known.get(each, frozenset()) for each in values))
        if kind == "prim::CallMethod" and values[0] in modules:
            inner, member = modules[values[0]]
            given = [known.get(each, frozenset()) for each in values[1:]]
            results = walk(reading, member, node.s("name"), inner, given)
            known.update(zip(outputs, results, strict=False))
            continue
        for each in node.blocks():
            for value in each.inputs():
                known[value.debugName()] = sources
            read_block(reading, each, path, call, known, modules)
            inside = [known.get(value.debugName(), frozenset()) for value in each.outputs()]
            sources = sources.union(*inside)
        if node.outputsSize() and sources:
            made = sources if kind.startswith("prim::") else operator(reading, node, path, call, sources, modules)
            known.update(dict.fromkeys(outputs, made))


def part(module: Any, name: str) -> Any:
    """An attribute of a script, or None for an object of a class that PyTorch can't show."""
    try:
        return getattr(module, name, None)
    except RuntimeError:
        return None


def operator(
    reading: Reading, node: Any, path: str, call: int, sources: frozenset[int], modules: dict[str, Any]
) -> frozenset[int]:
    """Add one operator that computes; the first one of a module counts the module's own parameters."""
    from engine.inspection.script import constants_of

    numbers = constants_of(node)
    if path not in reading.told:
        owner = next((module for name, module in modules.values() if name == path), None)
        numbers += sum(each.numel() for each in owner.parameters(recurse=False)) if owner is not None else 0
    reading.told.add(path)
    return reading.add(Operation(path, node.kind().partition("::")[2].strip("_"), sources, (), numbers, call))
