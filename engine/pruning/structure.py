"""What a structural step changed, as a record that can be repeated on a freshly built module.

Shapes of parameters and buffers and whole-number attributes (`out_channels`, `num_heads`, …) are
compared before and after, so a record needs neither the pruning library nor example inputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

Structure = dict[str, dict[str, dict[str, Any]]]


def structure_of(module: nn.Module) -> Structure:
    """For every submodule: shapes of its own parameters and buffers, and its whole-number attributes."""
    return {
        name: {
            "parameters": {key: list(each.shape) for key, each in part._parameters.items() if each is not None},
            "buffers": {key: list(each.shape) for key, each in part._buffers.items() if each is not None},
            "attributes": {key: plain(value) for key, value in vars(part).items() if sizes(value)},
        }
        for name, part in module.named_modules()
    }


def sizes(value: object) -> bool:
    """Whether an attribute is a whole number or a tuple or list of such."""
    if isinstance(value, (tuple, list)):
        return bool(value) and all(isinstance(each, int) and not isinstance(each, bool) for each in value)
    return isinstance(value, int) and not isinstance(value, bool)


def plain(value: Any) -> Any:
    return list(value) if isinstance(value, (tuple, list)) else value


def changes(before: Structure, after: Structure) -> Structure:
    """What differs, by submodule; empty parts are left out."""
    found: Structure = {}
    for name, parts in after.items():
        differing = {
            kind: {key: value for key, value in values.items() if before[name][kind].get(key) != value}
            for kind, values in parts.items()
        }
        differing = {kind: values for kind, values in differing.items() if values}
        if differing:
            found[name] = differing
    return found


def reshape(module: nn.Module, changed: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> nn.Module:
    """Give a freshly built module the recorded shapes; values are undefined until weights are loaded."""
    for name, parts in changed.items():
        part = module.get_submodule(name)
        for key, shape in parts.get("parameters", {}).items():
            old = part._parameters[key]
            assert old is not None
            part._parameters[key] = nn.Parameter(torch.zeros(shape, dtype=old.dtype), requires_grad=old.requires_grad)
        for key, shape in parts.get("buffers", {}).items():
            buffer = part._buffers[key]
            assert buffer is not None
            part._buffers[key] = torch.zeros(shape, dtype=buffer.dtype)
        for key, value in parts.get("attributes", {}).items():
            setattr(part, key, tuple(value) if isinstance(value, list) else value)
    return module
