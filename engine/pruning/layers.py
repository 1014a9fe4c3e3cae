"""Which weights of a module can be pruned, by the layer they belong to."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from engine.errors import BadInput

LAYERS = (
    nn.Linear,
    nn.modules.conv._ConvNd,
    nn.RNNBase,
    nn.RNNCellBase,
    nn.MultiheadAttention,
    nn.Bilinear,
)
NAMED_LAYERS = ("Conv1D",)  # transformers' linear layer of GPT-2, which is no nn.Linear
GRAPH_OPERATORS = ("linear", "conv", "addmm", "matmul", "mm")


def prunable(module: nn.Module) -> dict[str, nn.Parameter]:
    """Weights by name: matrices and kernels of linear, convolutional, recurrent and attention layers.

    Biases, norms and embeddings are left alone, and so is a weight that an embedding shares.
    """
    embedded = {id(each.weight) for each in module.modules() if isinstance(each, (nn.Embedding, nn.EmbeddingBag))}
    found: dict[str, nn.Parameter] = {}
    seen: set[int] = set()
    for prefix, layer in module.named_modules():
        if isinstance(layer, LAYERS) or type(layer).__name__ in NAMED_LAYERS:
            for name, parameter in layer.named_parameters(prefix=prefix, recurse=False):
                if parameter.ndim >= 2 and parameter.is_floating_point() and id(parameter) not in embedded | seen:
                    seen.add(id(parameter))
                    found[name] = parameter
    return found or in_graph(module)


def in_graph(module: nn.Module) -> dict[str, nn.Parameter]:
    """The weights of an exported program: what linear and convolution operators take as second input."""
    if not isinstance(module, torch.fx.GraphModule):
        return {}
    parameters = dict(module.named_parameters())
    found: dict[str, nn.Parameter] = {}
    for node in module.graph.nodes:
        name = str(node.target)
        if node.op == "call_function" and any(each in name for each in GRAPH_OPERATORS):
            for argument in node.all_input_nodes[1:]:
                parameter = parameters.get(str(argument.target)) if argument.op == "get_attr" else None
                if parameter is not None and parameter.ndim >= 2:
                    found[str(argument.target)] = parameter
    return found


def left_alone(module: nn.Module) -> list[str]:
    """Weights of two dimensions or more that are not pruned, with their layer's type."""
    taken = set(prunable(module))
    return [
        f"{name} ({type(module.get_submodule(name.rpartition('.')[0])).__name__})"
        for name, parameter in module.named_parameters()
        if parameter.ndim >= 2 and name not in taken
    ]


def without(weights: dict[str, nn.Parameter], keep: str) -> dict[str, nn.Parameter]:
    """The weights but for the layers in `keep`, names separated by commas.

    A name stands for the layer and everything inside it. Raises BadInput when it fits none.
    """
    wanted = [each.strip() for each in keep.split(",") if each.strip()]
    for name in wanted:
        if not any(belongs(weight, name) for weight in weights):
            raise BadInput(
                f"There is no layer {name!r} to keep.",
                f"Layers: {', '.join(layers_of(weights))[:400]}.",
            )
    return {name: each for name, each in weights.items() if not any(belongs(name, layer) for layer in wanted)}


def belongs(weight: str, layer: str) -> bool:
    return weight == layer or weight.startswith(f"{layer}.")


def layers_of(weights: Iterable[str]) -> list[str]:
    """The layers that weights belong to, in order."""
    return list(dict.fromkeys(each.rpartition(".")[0] for each in weights))
