"""Scripts that take lists of tensors, such as torchvision's detectors, given one batch instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.jit import ScriptModule

LISTS = ("List[Tensor]", "list[Tensor]")


def listed(module: ScriptModule) -> list[str]:
    """The names of the required arguments of `forward` that are lists of tensors."""
    return [each.name for each in required(module) if wants_list(each)]


def batched(module: ScriptModule) -> ScriptModule:
    """The same script with a tensor for every list of tensors: the samples of a batch are its elements.

    Arguments with a default keep it and are no longer asked for.
    """
    import torch

    from engine.conversion.quiet import quiet_jit

    arguments = required(module)
    taken = ", ".join(f"{each.name}: {'Tensor' if wants_list(each) else each.type}" for each in arguments)
    given = ", ".join(f"{each.name}={each.name}{'.unbind(0)' * wants_list(each)}" for each in arguments)
    holder = torch.nn.Module()
    holder.model = module
    with quiet_jit():
        wrapper: ScriptModule = torch.jit.script(holder)
    wrapper.define(f"def forward(self, {taken}):\n    return self.model({given})\n")
    return wrapper.eval()


def required(module: Any) -> list[Any]:
    """The arguments of `forward` without a default; none where there is no `forward`."""
    if "forward" not in module._c._method_names():
        return []
    return [each for each in module.forward.schema.arguments[1:] if not each.has_default_value()]


def wants_list(argument: Any) -> bool:
    """Whether an argument is a list of tensors."""
    return str(argument.type) in LISTS
