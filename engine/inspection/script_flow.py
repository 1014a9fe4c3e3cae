"""Count the branches and loops of a script that depend on what it is given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

FIXED = {"aten::dim", "prim::dtype", "prim::device", "prim::layout", "aten::is_floating_point", "prim::is_cuda"}


def nodes(block: Any) -> Iterator[Any]:
    """Every node of a graph or block, inner blocks included."""
    for node in block.nodes():
        yield node
        for inner in node.blocks():
            yield from nodes(inner)


def control_flow(graph: Any) -> int:
    """Branches and loops that a trace would not keep: those whose condition comes from inputs or state.

    Checks that only raise, switches on constants and loops of a fixed length do not count.
    """
    found = Dependence(graph)
    return sum(found.counts(node) for node in nodes(graph))


class Dependence:
    """Which values of a graph come from its inputs, or from attributes that it sets itself."""

    def __init__(self, graph: Any) -> None:
        self.given = {each.debugName() for each in list(graph.inputs())[1:]}
        self.state = {each.s("name") for each in nodes(graph) if each.kind() == "prim::SetAttr"}
        self.known: dict[str, bool] = {}

    def counts(self, node: Any) -> bool:
        """Whether one node is a branch or loop that depends on data."""
        if node.kind() == "prim::If":
            raises = any(each.kind() == "prim::RaiseException" for block in node.blocks() for each in block.nodes())
            return not raises and self.depends(next(iter(node.inputs())))
        if node.kind() == "prim::Loop":
            trips, proceed, *_ = node.inputs()
            again = next(iter(next(iter(node.blocks())).outputs()))
            return any(self.depends(each) for each in (trips, proceed, again))
        return False

    def depends(self, value: Any) -> bool:
        """Whether a value is not the same at every call."""
        name = value.debugName()
        if name not in self.known:
            self.known[name] = False  # a value carried around a loop must not ask about itself forever
            self.known[name] = name in self.given or self.computed(value)
        return self.known[name]

    def computed(self, value: Any) -> bool:
        """Whether the node that makes a value reads something that is not fixed."""
        node = value.node()
        kind = node.kind()
        if kind == "prim::GetAttr":
            return node.s("name") in self.state
        if kind == "prim::Constant" or kind in FIXED or is_rank(node):
            return False
        if kind == "prim::Param":
            counter = next(iter(node.outputs()), None)
            return value.debugName() not in self.given and counter is not None and value.offset() > 0 and carried(value)
        inner = [each for block in node.blocks() for each in block.outputs()]
        return any(self.depends(each) for each in (*node.inputs(), *inner))


def is_rank(node: Any) -> bool:
    """Whether a node counts a tensor's dimensions, which never change."""
    return bool(node.kind() == "aten::len" and next(iter(node.inputs())).node().kind() == "aten::size")


def carried(value: Any) -> bool:
    """Whether a block's parameter is carried around a loop; a module handed in is not."""
    return not str(value.type()).startswith("__torch__")
