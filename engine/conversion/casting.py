"""Half precision for PyTorch modules: weights are stored narrow, inputs and outputs stay float32."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from engine.errors import StepFailed

if TYPE_CHECKING:
    import torch

BORDER = "_optibench_border"
PRECISIONS = {"float16": "fp16", "bfloat16": "bf16"}
NO_KERNEL = ("not implemented for", "not supported for", "doesn't support tensors of type")


def cast_module(module: Any, dtype: str, *, leaves: bool = False) -> Any:
    """The module with floating weights in `dtype` and casts at its border, in place.

    Hooks cast, so the names of parameters and the signature stay what they were; torch.export drops
    the hooks of a graph module, which gets nodes that cast instead. With `leaves` every layer that
    has weights of its own also casts its inputs, for models that compute part of their activations
    in float32 by name.
    """
    import torch

    from engine.conversion.program_casting import cast_graph, cast_graph_border

    narrow = getattr(torch, dtype)
    module.to(narrow)
    for each in module.modules():
        if isinstance(each, torch.fx.GraphModule):
            cast_graph(each, narrow)
        if leaves and next(each.parameters(recurse=False), None) is not None:
            each.register_forward_pre_hook(lambda _, args: narrowed(args, narrow))
    if isinstance(module, torch.fx.GraphModule):
        cast_graph_border(module, narrow)
        return module
    module.register_forward_pre_hook(lambda _, args: narrowed(args, narrow))
    module.register_forward_hook(lambda _, args, output: widened(output, narrow))
    setattr(module, BORDER, dtype)
    return module


def narrowed(values: Any, dtype: torch.dtype) -> Any:
    """Nested values with every floating tensor cast to `dtype`."""
    import torch

    return mapped(values, lambda each: each.to(dtype) if each.is_floating_point() else each, torch.Tensor)


def widened(values: Any, dtype: torch.dtype) -> Any:
    """Nested values with every tensor of `dtype` cast to float32."""
    import torch

    return mapped(values, lambda each: each.to(torch.float32) if each.dtype is dtype else each, torch.Tensor)


def mapped(values: Any, change: Any, kind: type) -> Any:
    """Nested tuples, lists and mappings with `change` applied to every tensor in them."""
    if isinstance(values, kind):
        return change(values)
    if isinstance(values, dict):
        changed = {name: mapped(each, change, kind) for name, each in values.items()}
        return type(values)(**changed) if type(values) is not dict else changed
    if isinstance(values, tuple) and hasattr(values, "_fields"):
        return type(values)(*(mapped(each, change, kind) for each in values))
    if isinstance(values, (tuple, list)):
        return type(values)(mapped(each, change, kind) for each in values)
    return values


def border_dtype(module: Any) -> str | None:
    """The dtype that a module casts to at its border, or None for one that does not."""
    found: str | None = getattr(module, BORDER, None)
    return found


def without_border(module: Any) -> Any:
    """A shallow copy of the module without the casts at its border."""
    if border_dtype(module) is None:
        return module
    bare = copy.copy(module)
    bare._forward_hooks = type(module._forward_hooks)()
    bare._forward_pre_hooks = type(module._forward_pre_hooks)()
    return bare


def float32_twin(module: Any) -> Any:
    """A float32 copy of a module in half precision, for what does not depend on the precision."""
    twin = copy.deepcopy(without_border(module))
    return twin.float()


def runs(call: Any, inputs: tuple[Any, ...]) -> Exception | None:
    """What a call in half precision raises, or None; a kernel that only the CPU lacks is no reason."""
    import torch

    try:
        with torch.no_grad():
            call(*inputs)
    except (RuntimeError, TypeError, ValueError, NotImplementedError) as error:
        return None if any(each in str(error) for each in NO_KERNEL) else error
    return None


def refused(error: Exception, dtype: str) -> StepFailed:
    """The error for a model that does not run in half precision."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    point = next((line for line in lines if "expected" in line or "same dtype" in line or "must" in line), None)
    return StepFailed(
        f"The model does not run in {dtype}: {(point or (lines or ['no message'])[-1])[:240]}",
        "It computes something in float32 by name; convert to ONNX first and use half there.",
    )
