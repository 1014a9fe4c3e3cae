"""2:4 weights in the layout that sparse tensor cores read (NVIDIA GPUs since Ampere).

https://docs.pytorch.org/docs/stable/sparse.html#sparse-semi-structured-tensors
"""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any

from engine.errors import Unsupported
from engine.pruning.two_of_four import is_two_of_four

if TYPE_CHECKING:
    from torch import nn

ROWS, COLUMNS = 32, 64  # a layer's outputs and inputs come in multiples of these
TYPES = ("torch.float16", "torch.bfloat16")


def candidates(module: nn.Module) -> dict[str, nn.Linear]:
    """The linear layers whose weights have the pattern, the type and the shape that sparse kernels take."""
    from torch import nn

    return {name: each for name, each in module.named_modules() if type(each) is nn.Linear and fits(each.weight)}


def fits(weight: Any) -> bool:
    """Whether a weight is 2:4 sparse, 16 bits wide and large enough."""
    rows, columns = weight.shape
    if str(weight.dtype) not in TYPES or rows % ROWS or columns % COLUMNS:
        return False
    return is_two_of_four(weight.detach().float().cpu().numpy())


def contiguous(layer: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """Inputs without gaps between their rows, before a sparse layer.

    cuSPARSELt's kernel reads rows as if each followed the last: on a slice such as `hidden[:, 0]`, which has
    gaps and whose rows need no padding, it answers wrongly and says nothing.
    """
    return tuple(each.contiguous() for each in arguments)


def compress(module: nn.Module) -> list[str]:
    """Replace the weights of every such layer on its GPU; returns the layers' names.

    Raises Unsupported when there is none, or when PyTorch has no kernel for any of them here.
    """
    import torch
    from torch.sparse import to_sparse_semi_structured

    found = candidates(module)
    if not found:
        raise Unsupported(
            "No linear layer has 2:4 sparse weights in FP16 or BF16 that sparse tensor cores could use.",
            "Put prune-2to4 and half before the runtime; layers need outputs in multiples of 32 and inputs in 64.",
        )
    changed, refusals = [], []
    for name, layer in found.items():
        try:
            sparse = to_sparse_semi_structured(layer.weight.detach())
        except (RuntimeError, NotImplementedError) as error:
            traceback.print_exc()
            refusals.append(str(error).splitlines()[0])
            continue
        layer.weight = torch.nn.Parameter(sparse, requires_grad=False)
        layer.register_forward_pre_hook(contiguous)
        changed.append(name)
    if not changed:
        raise Unsupported(f"PyTorch has no sparse kernel for these layers here: {refusals[0]}.", "Run it without.")
    return changed
