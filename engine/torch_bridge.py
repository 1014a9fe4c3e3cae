"""Between feeds by name and what PyTorch modules take and give. Used inside workers only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.spec import ModelSpec

if TYPE_CHECKING:
    import torch


def positional(feeds: Mapping[str, Any], spec: ModelSpec, device: str = "cpu") -> tuple[Any, ...]:
    """The feeds in the order of the model's inputs, arrays as tensors on `device`.

    Every torch-module, script and program is called with its inputs in this order.
    """
    return tuple(
        to_tensor(feeds[each.name], each.dtype, device) if each.constant is None else each.constant
        for each in spec.inputs
    )


def to_tensor(value: Any, dtype: str, device: str = "cpu") -> torch.Tensor:
    """One array as a tensor of the named dtype."""
    import torch

    return torch.as_tensor(np.ascontiguousarray(value)).to(device=device, dtype=getattr(torch, dtype))


def flatten(output: Any) -> list[torch.Tensor]:
    """Every tensor of a nested output (tuples, lists, dicts, dataclass-like mappings), in order."""
    import torch

    if isinstance(output, torch.Tensor):
        return [output]
    if isinstance(output, Mapping):
        return [tensor for each in output.values() for tensor in flatten(each)]
    if isinstance(output, (tuple, list)):
        return [tensor for each in output for tensor in flatten(each)]
    if isinstance(output, (bool, int, float)):
        return [torch.as_tensor(output)]
    return []


def to_numpy(tensor: torch.Tensor) -> np.ndarray:
    """A tensor on the host; bfloat16 comes as float32."""
    import torch

    tensor = tensor.detach()
    if tensor.dtype is torch.bfloat16:
        tensor = tensor.float()
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    array: np.ndarray = tensor.cpu().numpy()
    return array
