"""Follow an input through a script's graph to the first weights it meets, which tell its shape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from engine.catalog.base import BATCH
from engine.inspection.first_layer import Guess, pictures
from engine.inspection.script_flow import nodes

PASSES_ON = {
    "aten::to", "aten::float", "aten::contiguous", "aten::clone", "aten::detach", "aten::mul", "aten::div", "aten::sub",
    "aten::add", "aten::relu", "aten::dropout", "aten::pad", "aten::reflection_pad1d", "aten::alias", "aten::type_as",
    "aten::quantize_per_tensor", "aten::dequantize", "aten::long", "aten::zero_pad2d", "aten::constant_pad_nd",
}  # fmt: skip
BINARY = {"aten::mul", "aten::div", "aten::sub", "aten::add"}
RESHAPES = {"aten::view", "aten::reshape", "aten::flatten"}
MATMULS = {"aten::linear": 1, "aten::matmul": 1, "aten::mm": 1, "aten::addmm": 2}
RECURRENT = {"aten::lstm", "aten::gru", "aten::rnn_tanh", "aten::rnn_relu"}
LAYOUTS = {"aten::permute", "aten::transpose", "aten::unsqueeze", "aten::cat"}


def met(value: Any, module: Any, graph: Any) -> Iterator[Guess]:
    """Shapes that fit the first weights a value meets on its way through the graph."""
    waiting = [(value, frozenset[str]())]
    seen = {value.debugName()}
    leaving = branch_outputs(graph)
    while waiting:
        current, path = waiting.pop(0)
        reached = [(each, "prim::If") for each in leaving.get(current.debugName(), ())]
        for use in current.uses():
            found = consumer(use.user, current, path, module)
            if found:
                yield from found
                return
            if passes_on(use.user, current):
                reached.append((use.user.output(), use.user.kind()))
        for output, kind in reached:
            if output.debugName() not in seen:
                seen.add(output.debugName())
                waiting.append((output, path | {kind}))


def branch_outputs(graph: Any) -> dict[str, list[Any]]:
    """The values outside a branch by the names of those inside that become them."""
    found: dict[str, list[Any]] = {}
    for node in nodes(graph):
        if node.kind() == "prim::If":
            for block in node.blocks():
                for inner, outer in zip(block.outputs(), node.outputs(), strict=True):
                    found.setdefault(inner.debugName(), []).append(outer)
    return found


def passes_on(node: Any, value: Any) -> bool:
    """Whether an operator hands a value on, changed at most in layout, type or scale."""
    kind = node.kind()
    if kind in BINARY:
        return all(is_plain(each) for each in others(node, value))
    if kind == "prim::ListConstruct":
        return any(use.user.kind() == "aten::cat" for use in node.output().uses())
    return kind in PASSES_ON | RESHAPES | LAYOUTS


def others(node: Any, value: Any) -> list[Any]:
    """The inputs of an operator besides one."""
    return [each for each in node.inputs() if each.debugName() != value.debugName()]


def is_plain(value: Any) -> bool:
    """Whether a value is a number, or a tensor stored with the script."""
    return str(value.type()) != "Tensor" or value.node().kind() in ("prim::Constant", "prim::GetAttr")


def consumer(node: Any, value: Any, path: frozenset[str], module: Any) -> list[Guess]:
    """The shapes that fit one operator's weight, or nothing when it has none."""
    kind, inputs = node.kind(), list(node.inputs())
    same = [each.debugName() == value.debugName() for each in inputs]
    if kind in ("aten::_convolution", "aten::conv1d", "aten::conv2d", "aten::conv3d", "aten::convolution") and same[0]:
        weight = stored(inputs[1], module)
        groups = constant(inputs[8] if kind in ("aten::_convolution", "aten::convolution") else inputs[6]) or 1
        return convolution(weight, int(groups), path) if weight is not None else []
    if kind in MATMULS and same[MATMULS[kind] - 1]:
        weight = stored(inputs[MATMULS[kind]], module)
        width = None if weight is None else weight.shape[1] if kind == "aten::linear" else weight.shape[0]
        return linear(int(width), path) if width is not None else []
    if kind == "aten::embedding" and same[1]:
        weight = stored(inputs[0], module)
        rows = None if weight is None else weight.shape[0]
        return [((BATCH, "sequence"), "int64", rows), ((BATCH,), "int64", rows)] if rows else []
    if kind in RECURRENT and same[0]:
        listed = inputs[2].node().kind() == "prim::ListConstruct"
        weight = stored(next(iter(inputs[2].node().inputs())) if listed else inputs[2], module)
        batch_first = constant(inputs[-1])
        order = (BATCH, "sequence") if batch_first else ("sequence", BATCH)
        return [((*order, int(weight.shape[1])), "float32", None)] if weight is not None else []
    if kind == "aten::batch_norm" and same[0]:
        weight = stored(inputs[3], module)
        width = None if weight is None else int(weight.shape[0])
        return [((BATCH, width, "height", "width"), "float32", None), *linear(width, path)] if width else []
    if kind == "aten::layer_norm" and same[0]:
        weight = stored(inputs[2], module)
        return linear(int(weight.shape[-1]), path) if weight is not None and weight.dim() == 1 else []
    return []


def convolution(weight: Any, groups: int, path: frozenset[str]) -> list[Guess]:
    """What a convolution's weight says about its input."""
    channels = int(weight.shape[1]) * groups
    places: tuple[str, ...] = {3: ("samples",), 4: ("height", "width"), 5: ("frames", "height", "width")}[weight.dim()]
    straight: Guess = ((BATCH, channels, *places), "float32", None)
    last: Guess = ((BATCH, *places, channels), "float32", None)
    flat: Guess = ((BATCH, *places), "float32", None)
    found = [last, straight] if "aten::permute" in path or "aten::transpose" in path else [straight]
    return [flat, *found] if "aten::unsqueeze" in path and channels == 1 else found


def linear(width: int, path: frozenset[str]) -> list[Guess]:
    """What a linear layer's width says about its input."""
    plain: list[Guess] = [((BATCH, width), "float32", None), ((BATCH, "sequence", width), "float32", None)]
    return [*pictures(width), *plain] if path & RESHAPES else [*plain, *pictures(width)]


def stored(value: Any, module: Any) -> Any:
    """The tensor behind a value of the graph: an attribute or a constant, also transposed or cast; else None."""
    node = value.node()
    kind = node.kind()
    if kind == "prim::Constant":
        return node.t("value") if node.hasAttribute("value") and node.kindOf("value") == "t" else None
    if kind == "prim::GetAttr":
        names = []
        while node.kind() == "prim::GetAttr":
            names.append(node.s("name"))
            node = next(iter(node.inputs())).node()
        found = module
        for name in reversed(names):
            found = getattr(found, name, None)
        found = found[0] if isinstance(found, list) and found else found
        return found if hasattr(found, "shape") else None
    if kind in ("aten::t", "aten::transpose"):
        inner = stored(next(iter(node.inputs())), module)
        return inner.t() if inner is not None and inner.dim() == 2 else None
    if kind in ("aten::to", "aten::dequantize", "prim::unchecked_cast", "aten::contiguous"):
        return stored(next(iter(node.inputs())), module)
    return None


def constant(value: Any) -> Any:
    """The plain value of a constant, or None."""
    node = value.node()
    return value.toIValue() if node.kind() == "prim::Constant" else None
