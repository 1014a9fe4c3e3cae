"""Sensitivity scan: which layers can be compressed, and which can't. Leaves the model as it is."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from engine.artifact import Artifact
from engine.errors import Unsupported
from engine.plugin import option
from engine.steps.base import Context, Step

AMOUNTS = {"prune": (0.3, 0.5, 0.7, 0.9), "quantize": (8.0, 4.0, 3.0, 2.0)}


@dataclass(frozen=True)
class Sensitivity(Step):
    """Prune or round each layer alone, by several amounts, and measure what that costs on the validation split.

    The model stays as it is. Layers that lose most are the ones to keep in the steps that follow.
    """

    name = "sensitivity"
    title = "Sensitivity scan"
    formats = {"torch-module": "torch-module"}
    uses = ("dataset", "threads")
    requires = ("torch",)
    kind = "pruning"
    paper = "Han et al. 2015, https://arxiv.org/abs/1506.02626"

    technique: str = option(
        "prune", "Zero the smallest weights, or round all to fewer bits", choices=("prune", "quantize")
    )
    samples: int = option(512, "Validation samples used", min=16, max=100_000)

    def apply(self, source: Artifact, context: Context) -> Artifact:
        import torch

        from engine.analysis.sensitivity import pruned, rounded, scan
        from engine.formats import torch_module
        from engine.pruning.layers import prunable
        from engine.training.tensors import Tensors, scores_index, tensors_of

        whole = tensors_of(context.dataset("validation"), context.spec)
        part = whole.take(torch.arange(min(self.samples, len(whole))))
        torch.set_num_threads(context.threads)
        module = torch_module.load(source.path)
        weights = prunable(module)
        if not weights:
            raise Unsupported("The model has no linear or convolutional layer to scan.", "Nothing can be pruned here.")
        points = scan(
            module,
            weights,
            Tensors(part.inputs, part.labels),
            AMOUNTS[self.technique],
            pruned if self.technique == "prune" else rounded,
            scores_index(context.spec),
            context.progress,
        )
        path = torch_module.save(context.folder, module, source.path, None)
        kind = "accuracy" if part.labels.ge(0).any() else "agreement"
        report = [{"technique": self.technique, "kind": kind, **asdict(each)} for each in points]
        return source.derive("torch-module", path, report=report)
