"""Make a student: another architecture, or the model itself made narrower or shallower."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from engine.errors import BadInput
from engine.pruning.channels import ChannelPlan, prune_channels
from engine.pruning.structure import changes, structure_of
from engine.recipes import scalar, split


@dataclass(frozen=True)
class Student:
    """A module to train; `record` repeats its structure, or `architecture` with `arguments` builds it."""

    module: nn.Module
    record: dict[str, Any] | None = None
    architecture: str = ""
    arguments: Mapping[str, Any] | None = None


def make_student(module: nn.Module, kind: str, arguments: str, ratio: float, inputs: tuple[Any, ...]) -> Student:
    """The student of a kind: same, narrower, shallower, or an architecture's name.

    Raises BadInput when the architecture is unknown or the model has nothing to take away.
    """
    if kind == "same":
        return Student(module)
    if kind == "narrower":
        before = structure_of(module)
        prune_channels(module, inputs, ChannelPlan(ratio))
        return Student(module, {"step": "prune-channels", "changed": changes(before, structure_of(module))})
    if kind == "shallower":
        kept = every_second(module)
        if not kept:
            raise BadInput("The model has no repeated layers to leave out.", "Make the student narrower instead.")
        return Student(keep_layers(module, kept), {"step": "distill", "kept": kept})
    from engine import catalog

    values = parse_arguments(arguments)
    return Student(catalog.build(kind, values), architecture=kind, arguments=values)


def parse_arguments(text: str) -> dict[str, Any]:
    """Read `width=8, depth=2`."""
    found: dict[str, Any] = {}
    for part in split(text, ","):
        name, equals, value = part.partition("=")
        if part.strip() and not equals:
            raise BadInput(f"{part.strip()!r} is not an argument of the student.", "Write name=value, name=value.")
        if equals:
            found[name.strip()] = scalar(value.strip())
    return found


def every_second(module: nn.Module) -> dict[str, list[str]]:
    """For each list of layers with equal neighbours: the names that stay when every second of them goes."""
    found: dict[str, list[str]] = {}
    for path, part in module.named_modules():
        if not isinstance(part, (nn.ModuleList, nn.Sequential)) or any(path.startswith(f"{each}.") for each in found):
            continue
        kept: list[str] = []
        run, before = 0, None
        for name, child in part.named_children():
            form = shape_of(child)
            run = run + 1 if form == before and form[1] else 0
            before = form
            if run % 2 == 0:
                kept.append(name)
        if len(kept) < len(part):
            found[path] = kept
    return found


def shape_of(module: nn.Module) -> tuple[type, tuple[Any, ...]]:
    """What two layers have to share to be interchangeable: their type and the shapes of their weights."""
    return type(module), tuple((name, tuple(each.shape)) for name, each in module.named_parameters())


def keep_layers(module: nn.Module, kept: Mapping[str, list[str]]) -> nn.Module:
    """Leave out all other layers of the named lists; numbered ones are numbered anew."""
    for path, names in kept.items():
        container = module.get_submodule(path)
        layers = [container._modules[name] for name in names]
        numbered = all(each.isdecimal() for each in container._modules)
        container._modules.clear()
        for number, (name, layer) in enumerate(zip(names, layers, strict=True)):
            container._modules[str(number) if numbered else name] = layer
    return module


def start_afresh(module: nn.Module, seed: int) -> None:
    """Draw new weights for every layer that knows how to."""
    torch.manual_seed(seed)
    for part in module.modules():
        reset = getattr(part, "reset_parameters", None)
        if callable(reset):
            reset()
