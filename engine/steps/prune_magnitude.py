"""Magnitude pruning of PyTorch modules: at once, or in cycles with fine-tuning between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.artifact import Artifact
from engine.errors import Unsupported
from engine.plugin import option
from engine.pruning import LOSSY
from engine.steps.base import Context, Step

PAPER = "Han et al. 2015, https://arxiv.org/abs/1506.02626; Zhu & Gupta 2017, https://arxiv.org/abs/1710.01878"


@dataclass(frozen=True)
class PruneMagnitude(Step):
    """Zero the weights of smallest magnitude in every linear, convolutional and recurrent layer.

    Shrinks the compressed file; ordinary hardware runs no faster, because zeros are multiplied too.
    Cycles with fine-tuning keep accuracy at far higher amounts than pruning at once.
    """

    name = "prune-magnitude"
    title = "Magnitude pruning"
    formats = {"torch-module": "torch-module"}
    uses = ("dataset", "seed", "device", "threads")
    requires = ("torch",)
    kind = "pruning"
    paper = PAPER

    amount: float = option(0.5, "Fraction of weights set to zero", min=0.0, max=0.999)
    scope: str = option("global", "Rank weights over the whole network or layer by layer", choices=("global", "layer"))
    keep: str = option("", "Layers to leave alone, separated by commas", kind="layers")
    cycles: int = option(1, "Prune in this many steps on a cubic schedule, fine-tuning after each", min=1, max=50)
    epochs: int = option(0, "Fine-tuning epochs after each cycle; needs a labelled data set", min=0, max=100)
    learning_rate: float = option(1e-3, "Learning rate of the fine-tuning", min=1e-7, max=1.0)

    def apply(self, source: Artifact, context: Context) -> Artifact:
        from engine.formats import torch_module
        from engine.pruning.layers import left_alone, prunable, without
        from engine.pruning.magnitude import cubic, sparsity_report
        from engine.torch_bridge import to_numpy
        from engine.training.in_step import forget_checkpoints

        module = torch_module.load(source.path)
        weights = without(prunable(module), self.keep)
        if not weights:
            raise Unsupported("The model has no linear or convolutional layer to prune.", "Try quantization.")
        skipped = left_alone(module)
        if skipped:
            context.progress(None, f"Left alone: {len(skipped)} weights, {', '.join(skipped[:3])}")
        curves = []
        for cycle in range(1, self.cycles + 1):
            context.progress((cycle - 1) / self.cycles, f"Pruning, cycle {cycle} of {self.cycles}")
            prune(weights, cubic(self.amount, cycle, self.cycles), self.scope)
            if self.epochs:
                curves.append(self.fine_tune(module, context, cycle))
            if context.cancelled():
                break
        path = torch_module.save(context.folder, module, source.path, None)
        report = sparsity_report({name: to_numpy(each) for name, each in weights.items()})
        forget_checkpoints(context)
        lossy = LOSSY if self.amount else str(source.details.get("lossy", ""))
        training = [*source.details.get("training", []), *curves]
        return source.derive("torch-module", path, report=report, skipped=skipped, training=training, lossy=lossy)

    def fine_tune(self, module: Any, context: Context, cycle: int) -> list[dict[str, Any]]:
        """Train with the pruned weights held at zero."""
        from engine.training.in_step import labelled_data, train_module
        from engine.training.masks import masks_of
        from engine.training.plan import Plan

        return train_module(
            module,
            labelled_data(context, "Fine-tuning between pruning cycles"),
            Plan(self.epochs, self.learning_rate),
            context,
            what="Fine-tuning between pruning cycles",
            masks=masks_of(module),
            part=((cycle - 1) / self.cycles, cycle / self.cycles),
            stage=f"cycle-{cycle}",
        )


def prune(weights: dict[str, Any], amount: float, scope: str) -> None:
    """Set the smallest weights of a module to zero, in place."""
    import torch

    from engine.pruning.magnitude import keep_masks
    from engine.torch_bridge import to_numpy

    masks = keep_masks({name: to_numpy(each) for name, each in weights.items()}, amount, scope)
    with torch.no_grad():
        for name, parameter in weights.items():
            parameter.mul_(torch.from_numpy(masks[name]).to(parameter.device))
