"""Find out whether a network is a plain chain, whose units may be sorted and dropped without changing it."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

POINTWISE = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Sigmoid, nn.Tanh, nn.Hardtanh, nn.Hardswish,
    nn.Dropout, nn.Dropout2d, nn.Identity, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d,
    nn.Flatten,
)  # fmt: skip
POINTWISE_FUNCTIONS = (
    torch.relu, functional.relu, functional.leaky_relu, functional.gelu, functional.silu, torch.tanh, torch.sigmoid,
    functional.max_pool2d, torch.max_pool2d, functional.avg_pool2d, functional.adaptive_avg_pool2d, torch.flatten,
    functional.dropout,
)  # fmt: skip
POINTWISE_METHODS = ("relu", "tanh", "sigmoid", "flatten", "contiguous")


@dataclass(frozen=True)
class Link:
    """One layer of a chain; each unit of the layer before it feeds `spread` neighbouring input columns."""

    name: str
    spread: int = 1


def chain_of(module: nn.Module) -> list[Link]:
    """The linear and convolutional layers of a plain chain in order; empty when the network is something else.

    Between them may lie whatever treats every channel alike: activations, pooling, flattening.
    """
    try:
        graph = torch.fx.symbolic_trace(module)
    except Exception:  # torch.fx raises whatever the traced code does; then it is no plain chain
        return []
    found: list[tuple[str, nn.Module]] = []
    for node in graph.graph.nodes:
        if node.op == "output" or (node.op == "placeholder" and len(node.users) == 1):
            continue
        if len(node.users) != 1 or (node.op != "placeholder" and not follows(node, graph)):
            return []
        layer = graph.get_submodule(str(node.target)) if node.op == "call_module" else None
        if layer is not None and is_layer(layer):
            found.append((str(node.target), layer))
    if len({name for name, _ in found}) < len(found) or len({id(each.weight) for _, each in found}) < len(found):
        return []
    return linked(found)


def follows(node: Any, graph: Any) -> bool:
    """Whether a node treats all units alike or is a layer, and reads one other node only."""
    if len(node.all_input_nodes) != 1:
        return bool(node.op == "call_function" and node.target is operator.getitem)
    if node.op == "call_module":
        layer = graph.get_submodule(str(node.target))
        return is_layer(layer) or isinstance(layer, POINTWISE)
    if node.op == "call_function":
        return node.target in POINTWISE_FUNCTIONS
    if node.op == "call_method":
        return node.target in POINTWISE_METHODS
    return False


def is_layer(layer: object) -> bool:
    return type(layer) is nn.Linear or (type(layer) is nn.Conv2d and layer.groups == 1)


def linked(layers: list[tuple[str, nn.Module]]) -> list[Link]:
    """Links with their spread; empty when a layer's inputs are no multiple of the units before it."""
    links: list[Link] = []
    before = 0
    for name, layer in layers:
        weight = layer.get_parameter("weight")
        inputs = weight.shape[1]
        if before and inputs % before:
            return []
        links.append(Link(name, inputs // before if before else 1))
        before = weight.shape[0]
    return links
