"""Fold batch normalisation into the convolution or linear layer before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any


def fold_batchnorm(module: Any) -> list[list[str]]:
    """Fold in place where the graph of the module shows that nothing else reads between; returns the pairs folded.

    Modules that torch.fx can't follow keep their layers.
    """
    import torch
    from torch import nn

    if not any(isinstance(each, nn.modules.batchnorm._BatchNorm) for each in module.modules()):
        return []
    try:
        graph = torch.fx.Tracer().trace(module)
    except Exception:  # torch.fx raises whatever the model's own Python raises on its proxies
        return []
    layers = dict(module.named_modules(remove_duplicate=False))
    calls = Counter(id(layers[node.target]) for node in graph.nodes if node.op == "call_module")
    pairs = []
    for node in graph.nodes:
        if node.op != "call_module" or not node.args or getattr(node.args[0], "op", "") != "call_module":
            continue
        before, norm = layers[node.args[0].target], layers[node.target]
        foldable = isinstance(before, (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear))
        alone = len(node.args[0].users) == 1 and calls[id(before)] == 1 and calls[id(norm)] == 1
        if foldable and alone and isinstance(norm, nn.modules.batchnorm._BatchNorm) and norm.running_var is not None:
            pairs.append([str(node.args[0].target), str(node.target)])
    for first, second in pairs:
        fuse = (
            torch.nn.utils.fuse_linear_bn_eval
            if isinstance(layers[first], nn.Linear)
            else torch.nn.utils.fuse_conv_bn_eval
        )
        replace(module, first, fuse(layers[first], layers[second]))
        replace(module, second, nn.Identity())
    return pairs


def refold(module: Any, pairs: Iterable[Iterable[str]]) -> None:
    """Repeat the change to the structure: the layer gets a bias, the normalisation becomes nothing."""
    import torch
    from torch import nn

    for first, second in pairs:
        layer = module.get_submodule(first)
        if layer.bias is None:
            layer.bias = nn.Parameter(torch.zeros(layer.weight.shape[0], dtype=layer.weight.dtype))
        replace(module, second, nn.Identity())


def replace(module: Any, name: str, layer: Any) -> None:
    """Put a layer in the place of another, by its dotted name."""
    parent, _, last = name.rpartition(".")
    setattr(module.get_submodule(parent), last, layer)
