"""Modules with another signature, as tracing and exporting want them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.spec import ModelSpec


def tensors_only(module: Any, spec: ModelSpec) -> Any:
    """The module as one that takes tensors alone, with constants bound, and returns a tensor or a flat tuple."""
    import torch

    from engine.torch_bridge import flatten

    class TensorsOnly(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = module

        def forward(self, *tensors: torch.Tensor) -> Any:
            given = iter(tensors)
            outputs = flatten(self.model(*(next(given) if e.constant is None else e.constant for e in spec.inputs)))
            return outputs[0] if len(outputs) == 1 else tuple(outputs)

    return TensorsOnly().eval()


def tensor_inputs(feeds: Mapping[str, Any], spec: ModelSpec) -> tuple[Any, ...]:
    """The feeds that are tensors, as tensors, in the order of the model's inputs."""
    from engine.torch_bridge import to_tensor

    return tuple(to_tensor(feeds[each.name], each.dtype) for each in spec.tensor_inputs)
