"""Look inside TorchScript graphs, and give scripts another signature."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

CONTROL_FLOW = ("prim::If", "prim::Loop")


def methods(script: Any) -> Iterator[Any]:
    """Every method of a script and of its submodules, as TorchScript's own objects."""
    for module in script.modules():
        compiled = module._c
        for name in compiled._method_names():
            yield compiled._get_method(name)


def nodes(block: Any) -> Iterator[Any]:
    """Every node of a graph or block, also of the blocks inside its nodes."""
    for node in block.nodes():
        yield node
        for inner in node.blocks():
            yield from nodes(inner)


def constants(script: Any) -> Iterator[torch.Tensor]:
    """Every tensor constant in the graphs of a script's methods."""
    for method in methods(script):
        for node in nodes(method.graph):
            if node.kind() == "prim::Constant" and node.hasAttribute("value") and node.kindOf("value") == "t":
                yield node.t("value")


def control_flow(script: Any) -> dict[str, int]:
    """How many branches and loops are in a script once calls are inlined: {"branches", "loops"}."""
    graph = script.inlined_graph if hasattr(script, "inlined_graph") else script.graph
    kinds = [node.kind() for node in nodes(graph)]
    return {"branches": kinds.count("prim::If"), "loops": kinds.count("prim::Loop")}
