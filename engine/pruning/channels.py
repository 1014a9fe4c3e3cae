"""Channel pruning with dependency tracking: layers that share channels shrink together (Torch-Pruning)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from engine.errors import BadInput, StepFailed, Unsupported, first_line
from engine.pruning.heads import Attention, attentions, attribute, resize
from engine.pruning.layers import belongs
from engine.pruning.outputs import output_layers
from engine.torch_bridge import flatten

IMPORTANCES = ("magnitude", "taylor", "lamp", "random")
WIDTHS = ("hidden", "hidden_dim", "hidden_size", "embed_dim", "d_model", "dim", "width", "num_features")
ADVICE = "Prune at a lower ratio, keep more layers, or use magnitude pruning."


@dataclass(frozen=True)
class ChannelPlan:
    """How channels are pruned. `ratio` is the fraction of channels that goes; `heads` prunes attention heads."""

    ratio: float
    scope: str = "layer"
    round_to: int = 8
    importance: str = "magnitude"
    steps: int = 1
    heads: bool = False
    keep: str = ""


def prune_channels(
    module: nn.Module,
    inputs: tuple[Any, ...],
    plan: ChannelPlan,
    *,
    gradients: Callable[[nn.Module], None] | None = None,
    after_step: Callable[[int], None] | None = None,
) -> None:
    """Remove channels from a module, in place.

    `gradients` fills the parameters' gradients, which the Taylor importance needs; `after_step` is
    called after each of the plan's steps and may fine-tune. Raises Unsupported when the model's code
    fixes sizes that pruning would change.
    """
    shapes = [tuple(each.shape) for each in flatten(module(*inputs))]
    for parameter in module.parameters():
        parameter.requires_grad_(parameter.is_floating_point())
    layers = attentions(module)
    pruner = make_pruner(module, inputs, plan, layers)
    for step in range(1, plan.steps + 1):
        before = widths(module)
        if plan.importance == "taylor" and gradients is not None:
            gradients(module)
        carry_out(pruner)
        module.zero_grad(set_to_none=True)
        for each in layers:
            resize(each, pruner.num_heads.get(each.query, each.projections[each.query]))
        adapt_and_check(module, inputs, shapes, before)
        if after_step is not None:
            after_step(step)


def make_pruner(module: nn.Module, inputs: tuple[Any, ...], plan: ChannelPlan, layers: list[Attention]) -> Any:
    """Torch-Pruning's pruner; raises Unsupported when it can't follow the model."""
    import torch_pruning as tp

    kinds = {
        "magnitude": lambda: tp.importance.GroupMagnitudeImportance(p=2),
        "taylor": lambda: tp.importance.GroupTaylorImportance(),
        "lamp": lambda: tp.importance.LAMPImportance(p=2),
        "random": lambda: tp.importance.RandomImportance(),
    }
    recurrent = [each for each in module.modules() if isinstance(each, (nn.RNNBase, nn.RNNCellBase))]
    ignored = [*output_layers(module, inputs), *kept_layers(module, plan.keep), *recurrent]
    heads = {projection: count for each in layers for projection, count in each.projections.items()}
    if not plan.heads:
        ignored.extend(heads)
    try:
        return tp.pruner.BasePruner(
            module,
            inputs,
            importance=kinds[plan.importance](),
            pruning_ratio=plan.ratio,
            global_pruning=plan.scope == "global",
            max_pruning_ratio=max(plan.ratio, 0.9),
            iterative_steps=plan.steps,
            ignored_layers=ignored,
            round_to=plan.round_to if plan.round_to > 1 else None,
            num_heads=dict(heads),
            prune_num_heads=plan.heads,
            prune_head_dims=False,
            head_pruning_ratio=plan.ratio if plan.heads else 0.0,
        )
    except Exception as error:  # the library traces the model's own code, which may raise anything
        raise Unsupported(f"The channels of this model can't be followed: {first_line(error)}.", ADVICE) from error


def carry_out(pruner: Any) -> None:
    """One step of the pruner."""
    try:
        pruner.step()
    except Exception as error:  # as above; the module may be half pruned, so nothing of it is kept
        raise StepFailed(f"Pruning channels failed: {first_line(error)}.", ADVICE) from error


def kept_layers(module: nn.Module, keep: str) -> list[nn.Module]:
    """The layers named in `keep`; raises BadInput on an unknown name."""
    found: list[nn.Module] = []
    for name in [each.strip() for each in keep.split(",") if each.strip()]:
        parts = [part for path, part in module.named_modules() if belongs(path, name)]
        if not parts:
            raise BadInput(f"There is no layer {name!r} to keep.", "The Models page lists the layers.")
        found.extend(parts)
    return found


def adapt_and_check(
    module: nn.Module, inputs: tuple[Any, ...], shapes: list[tuple[int, ...]], before: dict[str, tuple[int, int]]
) -> None:
    """Check that the pruned model runs; when it doesn't, first correct widths that its code keeps as attributes."""
    try:
        check_forward(module, inputs, shapes)
    except Unsupported:
        adapt_widths(module, before)
        check_forward(module, inputs, shapes)


def adapt_widths(module: nn.Module, before: dict[str, tuple[int, int]]) -> None:
    """Correct attributes such as `hidden_dim` of modules in which every layer of that width changed alike."""
    after = widths(module)
    for path, part in module.named_modules():
        if path in after:
            continue
        changed: dict[int, set[int]] = {}
        for name, old in before.items():
            if belongs(name, path) or not path:
                for was, now in zip(old, after[name], strict=True):
                    changed.setdefault(was, set()).add(now)
        for name in WIDTHS:
            news = changed.get(attribute(part, (name,)) or 0, set())
            if len(news) == 1:
                setattr(part, name, news.pop())


def check_forward(module: nn.Module, inputs: tuple[Any, ...], shapes: list[tuple[int, ...]]) -> None:
    """Raise Unsupported when the pruned model does not run or answers in another shape."""
    try:
        with torch.no_grad():
            found = [tuple(each.shape) for each in flatten(module(*inputs))]
    except (RuntimeError, ValueError, IndexError) as error:
        raise Unsupported(
            f"The model's code fixes a size that pruning changes: {first_line(error)}.",
            "Keep the layers around it. Graphs (ONNX, exported programs) fix their reshapes: "
            "for those upload weights with an architecture.",
        ) from error
    if found != shapes:
        raise Unsupported(
            f"Pruning would change the outputs from {shapes} to {found}.", "Keep the layers that give them."
        )


def widths(module: nn.Module) -> dict[str, tuple[int, int]]:
    """Inputs and outputs of every linear and convolutional layer."""
    return {
        name: (int(part.weight.shape[1]), int(part.weight.shape[0]))
        for name, part in module.named_modules()
        if isinstance(part, (nn.Linear, nn.modules.conv._ConvNd))
    }


def operations(module: nn.Module, inputs: tuple[Any, ...]) -> int:
    """Multiply-adds of one sample, counted by PyTorch's own operator formulas."""
    from torch.utils.flop_counter import FlopCounterMode

    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(*inputs)
    samples = next((len(each) for each in inputs if isinstance(each, torch.Tensor) and each.ndim), 1)
    return int(counter.get_total_flops()) // (2 * samples)
