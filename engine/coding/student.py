"""The network that is being compressed: its pruned weights, its optimizer, and the units that are left of it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from engine.coding.chain import Link, chain_of
from engine.errors import BadInput
from engine.pruning.layers import belongs, prunable, without

Hook = Callable[[], None]


def compressible(module: nn.Module, keep: str = "", *, biases: bool = True) -> dict[str, nn.Parameter]:
    """Weights of linear, convolutional and recurrent layers but for those in `keep`, and their layers' biases."""
    weights = without(prunable(module), keep)
    if not biases:
        return weights
    layers = {name.rpartition(".")[0] for name in weights}
    chosen = dict(weights)
    for name, parameter in module.named_parameters():
        if name.rpartition(".")[0] in layers and parameter.ndim == 1 and name.rpartition(".")[2].startswith("bias"):
            chosen[name] = parameter
    return {name: each for name, each in module.named_parameters() if name in chosen}


@dataclass
class Student:
    """A copy of a network whose pruned weights stay zero and whose dead units are cut out while it learns.

    `masks` is true where a weight is kept. In a plain chain, units that nothing enters or nothing leaves
    are removed for good; `kept` says which units of the original each layer still has.
    """

    module: nn.Module
    names: list[str]
    optimizer: torch.optim.Optimizer
    masks: dict[str, torch.Tensor]
    links: list[Link]
    kept: dict[str, torch.Tensor] = field(default_factory=dict)
    shapes: dict[str, torch.Size] = field(default_factory=dict)

    @classmethod
    def of(cls, module: nn.Module, names: Iterable[str], rate: float, device: str) -> Student:
        """A copy of a module in which the parameters `names` will be pruned."""
        made = copy.deepcopy(module).to(device)
        if any(each.ndim == 4 for each in made.parameters()):
            made = made.to(memory_format=torch.channels_last)  # trains up to twice as fast on a CPU
        chosen = list(names)
        links = chain_of(made)
        covered = {f"{link.name}.{part}" for link in links for part in ("weight", "bias")}
        whole = all(name in chosen for name, _ in made.named_parameters() if name in covered)
        parameters = dict(made.named_parameters())
        return cls(
            module=made,
            names=chosen,
            optimizer=adam(made, rate),
            masks={name: parameters[name].detach() != 0 for name in chosen},
            links=links if whole else [],
            kept={link.name: torch.arange(len(made.get_parameter(f"{link.name}.weight"))) for link in links},
            shapes={name: parameters[name].shape for name in chosen},
        )

    def parameters(self) -> dict[str, nn.Parameter]:
        """The parameters that are compressed, by name."""
        return {name: self.module.get_parameter(name) for name in self.names}

    @torch.no_grad()
    def hold(self) -> None:
        """Set every pruned weight to zero again."""
        for name, parameter in self.parameters().items():
            parameter.mul_(self.masks[name])

    def second_moment(self, name: str) -> torch.Tensor:
        """Adam's running mean of a parameter's squared gradient; ones before the first update."""
        parameter = self.module.get_parameter(name)
        state = self.optimizer.state.get(parameter, {})
        found: torch.Tensor = state.get("exp_avg_sq", torch.ones_like(parameter))
        return found

    def count(self) -> int:
        """How many weights are left."""
        return int(sum(int(mask.sum()) for mask in self.masks.values()))

    @torch.no_grad()
    def cut_dead_units(self) -> bool:
        """Remove the units of a plain chain that nothing enters or nothing leaves; says whether any was.

        What such a unit adds is a constant at most; later training makes up for it.
        """
        cut = False
        for before, after in pairwise(self.links):
            entering = self.masks[f"{before.name}.weight"].flatten(1).any(1)
            columns = (
                self.masks[f"{after.name}.weight"].flatten(2) if conv(self.masks[f"{after.name}.weight"]) else None
            )
            leaving = (
                columns.any(2).any(0)
                if columns is not None
                else self.masks[f"{after.name}.weight"].reshape(-1, len(entering), after.spread).any(2).any(0)
            )
            alive = torch.nonzero(entering & leaving)[:, 0]
            if len(alive) == len(entering):
                continue
            if not len(alive):
                raise BadInput(f"Pruning would leave nothing of {before.name}.", "Lower the amount of pruning.")
            self.cut(before, after, alive)
            cut = True
        return self.cut_dead_units() or True if cut else False

    def cut(self, before: Link, after: Link, alive: torch.Tensor) -> None:
        """Keep the units `alive` between two layers."""
        self.kept[before.name] = self.kept[before.name][alive.cpu()]
        for part in ("weight", "bias"):
            if f"{before.name}.{part}" in self.masks:
                self.slice(f"{before.name}.{part}", lambda each: each[alive])
        spread = after.spread
        columns = (alive[:, None] * spread + torch.arange(spread, device=alive.device)).reshape(-1)
        self.slice(f"{after.name}.weight", lambda each: each[:, columns])
        resize(self.module.get_submodule(before.name), "out", len(alive))
        resize(self.module.get_submodule(after.name), "in", len(columns))

    def slice(self, name: str, taken: Callable[[torch.Tensor], torch.Tensor]) -> None:
        """Replace a parameter, its mask and its optimizer state by a part of them."""
        layer_name, _, part = name.rpartition(".")
        old = self.module.get_parameter(name)
        new = nn.Parameter(taken(old.detach()).contiguous())
        setattr(self.module.get_submodule(layer_name), part, new)
        self.masks[name] = taken(self.masks[name])
        state: Any = self.optimizer.state.pop(old, {})
        if state:
            self.optimizer.state[new] = {
                key: taken(value).contiguous() if value.shape == old.shape else value for key, value in state.items()
            }
        for group in self.optimizer.param_groups:
            group["params"] = [new if each is old else each for each in group["params"]]

    @torch.no_grad()
    def spread_out(self, values: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Tensors of the student's shapes in the original ones, with zeros where units were cut out."""
        placed = dict(values)
        for number, link in enumerate(self.links):
            name = f"{link.name}.weight"
            rows = self.kept[link.name]
            columns = torch.arange(self.shapes[name][1])
            if number:
                units = self.kept[self.links[number - 1].name]
                columns = (units[:, None] * link.spread + torch.arange(link.spread)).reshape(-1)
            full = values[name].new_zeros(self.shapes[name])
            full[rows[:, None], columns[None, :]] = values[name]
            placed[name] = full
            if f"{link.name}.bias" in values:
                bias = values[f"{link.name}.bias"].new_zeros(self.shapes[f"{link.name}.bias"])
                bias[rows] = values[f"{link.name}.bias"]
                placed[f"{link.name}.bias"] = bias
        return placed


def adam(module: nn.Module, rate: float) -> torch.optim.Optimizer:
    """Adam over everything that learns; its second moments are what pruning goes by."""
    return torch.optim.Adam([each for each in module.parameters() if each.requires_grad], lr=rate, fused=True)


def conv(weight: torch.Tensor) -> bool:
    return weight.ndim > 2


def resize(layer: Any, side: str, size: int) -> None:
    """Tell a layer its new number of inputs or outputs."""
    setattr(layer, f"{side}_features" if isinstance(layer, nn.Linear) else f"{side}_channels", size)


__all__ = ["Student", "adam", "belongs", "compressible"]
