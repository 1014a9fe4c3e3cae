"""The weights of TorchScript that can be pruned: parameters, and constants of frozen graphs."""

from __future__ import annotations

from typing import Any

import torch

from engine.conversion.scripts import methods, nodes

OPERATORS = ("aten::linear", "aten::conv", "aten::_convolution", "aten::addmm", "aten::matmul", "aten::mm")
LAYERS = ("Linear", "Conv", "LSTM", "GRU", "RNN", "MultiheadAttention")


def weight_tensors(script: Any) -> dict[str, torch.Tensor]:
    """Weights by name that linear, convolutional and recurrent layers use; changing them changes the script."""
    found: dict[str, torch.Tensor] = {}
    for path, part in script.named_modules():
        if any(each in str(getattr(part, "original_name", "")) for each in LAYERS):
            for name, parameter in part.named_parameters(prefix=path, recurse=False):
                if parameter.ndim >= 2 and parameter.is_floating_point():
                    found[name] = parameter
    return found | graph_constants(script)


def graph_constants(script: Any) -> dict[str, torch.Tensor]:
    """The tensor constants that heavy operators take."""
    found: dict[str, torch.Tensor] = {}
    for number, method in enumerate(methods(script)):
        for node in nodes(method.graph):
            if not node.kind().startswith(OPERATORS):
                continue
            for each in node.inputs():
                made = each.node()
                constant = made.kind() == "prim::Constant" and made.hasAttribute("value")
                if constant and made.kindOf("value") == "t" and made.t("value").ndim >= 2:
                    found[f"{number}.{each.debugName()}"] = made.t("value")
    return found
