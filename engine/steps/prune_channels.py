"""Channel pruning: whole filters, units and attention heads go, and the network really gets smaller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.artifact import Artifact
from engine.errors import BadInput, Unsupported
from engine.plugin import option
from engine.pruning import LOSSY
from engine.spec import ModelSpec
from engine.steps.base import Context, Step


@dataclass(frozen=True)
class PruneChannels(Step):
    """Remove the least important channels together with everything that depends on them.

    The network becomes smaller and faster on any hardware. Fine-tune afterwards, or between steps,
    to win back accuracy.
    """

    name = "prune-channels"
    title = "Channel pruning"
    formats = {"torch-module": "torch-module"}
    uses = ("sample", "dataset", "seed", "device", "threads")
    requires = ("torch", "torch-pruning")
    kind = "pruning"
    paper = "Fang et al. 2023, DepGraph, https://arxiv.org/abs/2301.12900"

    ratio: float = option(0.5, "Fraction of channels removed", min=0.0, max=0.95)
    scope: str = option(
        "layer", "Remove the same part of every layer, or the least important overall", choices=("layer", "global")
    )
    round_to: int = option(8, "Keep the number of channels a multiple of this; GPUs like 8 or more", min=1, max=128)
    importance: str = option(
        "magnitude",
        "How channels are ranked; taylor needs a labelled data set",
        choices=("magnitude", "taylor", "lamp", "random"),
    )
    heads: bool = option(False, "Remove whole attention heads too")
    keep: str = option("", "Layers to leave alone, separated by commas", kind="layers")
    steps: int = option(1, "Prune in this many steps", min=1, max=50)
    epochs: int = option(0, "Fine-tuning epochs after each step; needs a labelled data set", min=0, max=100)
    learning_rate: float = option(1e-3, "Learning rate of the fine-tuning", min=1e-7, max=1.0)

    def check(self, spec: ModelSpec, device: str) -> str | None:
        if spec.format != "torch-module" or spec.architecture in ("@exported-program", "@onnx"):
            return "channels can be removed only where the architecture is known; upload weights with an architecture"
        return None

    def apply(self, source: Artifact, context: Context) -> Artifact:
        import torch

        from engine.formats import torch_module
        from engine.pruning.channels import ChannelPlan, operations, prune_channels, widths
        from engine.pruning.structure import changes, structure_of
        from engine.torch_bridge import positional
        from engine.training.in_step import forget_checkpoints

        module = torch_module.load(source.path)
        inputs = positional(context.sample(), context.spec)
        before, layers, cost = structure_of(module), widths(module), operations(module, inputs)
        torch.manual_seed(context.seed)
        curves: list[Any] = []
        prune_channels(
            module,
            inputs,
            ChannelPlan(self.ratio, self.scope, self.round_to, self.importance, self.steps, self.heads, self.keep),
            gradients=(lambda each: self.gradients(each, context)) if self.importance == "taylor" else None,
            after_step=lambda step: self.after_step(module, context, step, curves),
        )
        changed = changes(before, structure_of(module))
        if self.ratio and not changed:
            raise Unsupported(
                f"Nothing can be pruned: no layer has {self.round_to} channels to spare.",
                "Lower round_to, or leave prune-channels out.",
            )
        recurrent = [name for name, each in module.named_modules() if isinstance(each, torch.nn.RNNBase)]
        if recurrent:
            context.warn(f"{len(recurrent)} recurrent layers keep their width: {', '.join(recurrent[:3])}.")
        path = torch_module.save(context.folder, module, source.path, {"step": self.name, "changed": changed})
        forget_checkpoints(context)
        return source.derive(
            "torch-module",
            path,
            lossy=LOSSY if changed else str(source.details.get("lossy", "")),
            report=report(layers, widths(module)),
            multiply_adds={"before": cost, "after": operations(module, inputs)},
            training=[*source.details.get("training", []), *curves],
        )

    @classmethod
    def replay(cls, module: Any, record: Mapping[str, Any]) -> Any:
        from engine.pruning.structure import reshape

        return reshape(module, record["changed"])

    def gradients(self, module: Any, context: Context) -> None:
        """Gradients of the loss over up to 512 training samples, for the Taylor importance."""
        import torch

        from engine.training.in_step import labelled_data
        from engine.training.objective import Classification
        from engine.training.tensors import scores_index

        train, _ = labelled_data(context, "Ranking channels by their effect on the loss")
        objective = Classification(scores_index(context.spec))
        order = torch.randperm(len(train), generator=torch.Generator().manual_seed(context.seed))[:512]
        for batch in train.batches(64, order=order):
            objective(module, batch).backward()  # type: ignore[no-untyped-call]

    def after_step(self, module: Any, context: Context, step: int, curves: list[Any]) -> None:
        """Show progress and fine-tune when that was asked for."""
        context.progress((step - 0.5) / self.steps, f"Pruned, step {step} of {self.steps}")
        if not self.epochs:
            return
        from engine.training.in_step import labelled_data, train_module
        from engine.training.plan import Plan

        what = "Fine-tuning between pruning steps"
        plan = Plan(self.epochs, self.learning_rate)
        part = ((step - 1) / self.steps, step / self.steps)
        curves.append(
            train_module(
                module, labelled_data(context, what), plan, context, what=what, part=part, stage=f"step-{step}"
            )
        )


def report(before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]) -> list[dict[str, Any]]:
    """For each layer: channels in and out, before and after."""
    if before.keys() != after.keys():
        raise BadInput("Pruning changed the model's layers.", "Report this model.")
    return [
        {
            "layer": name,
            "inputs": after[name][0],
            "inputs_before": before[name][0],
            "channels": after[name][1],
            "channels_before": before[name][1],
        }
        for name in before
    ]
