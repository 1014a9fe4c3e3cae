"""Which layers give a model's outputs: their width is the number of classes, not ours to change."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from engine.torch_bridge import flatten

HEAVY = ("Addmm", "Mm", "Bmm", "Conv", "Linear", "Rnn", "Lstm")
WEIGHT_PATH = ("T", "Transpose", "Permute", "View", "Expand", "Unsafe")


def output_layers(module: nn.Module, inputs: tuple[Any, ...]) -> list[nn.Module]:
    """The last linear or convolutional layers before each output, found in the autograd graph."""
    owners = {id(each): part for part in module.modules() for each in part._parameters.values() if each is not None}
    with torch.enable_grad():
        outputs = flatten(module(*inputs))
    found: dict[int, nn.Module] = {}
    seen: set[Any] = set()
    waiting = [each.grad_fn for each in outputs if each.grad_fn is not None]
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        if any(each in node.name() for each in HEAVY):
            for parameter in weights_of(node):
                owner = owners.get(id(parameter))
                if owner is not None:
                    found[id(owner)] = owner
            continue
        waiting.extend(each for each, _ in node.next_functions if each is not None)
    return list(found.values())


def weights_of(node: Any) -> list[torch.Tensor]:
    """The parameters that an operator takes directly or through a transposition."""
    found = []
    for each, _ in node.next_functions:
        while each is not None and any(each.name().startswith(kind) for kind in WEIGHT_PATH):
            each = each.next_functions[0][0]
        if each is not None and hasattr(each, "variable"):
            found.append(each.variable)
    return found
