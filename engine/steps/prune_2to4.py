"""2:4 semi-structured pruning of PyTorch modules and ONNX graphs."""

from __future__ import annotations

from dataclasses import dataclass

from engine.artifact import Artifact
from engine.errors import Unsupported
from engine.plugin import option
from engine.pruning import LOSSY
from engine.steps.base import Context, Step

PAPER = "Mishra et al. 2021, https://arxiv.org/abs/2104.08378"
NOTHING = "No linear or convolutional layer has inputs in multiples of four."
INSTEAD = "Try magnitude or channel pruning."


@dataclass(frozen=True)
class Prune2To4(Step):
    """Zero two of every four neighbouring weights, the pattern that sparse tensor cores skip.

    Halves the work of matrix products on NVIDIA GPUs since Ampere, in FP16 or INT8, where the runtime
    uses it (TensorRT with sparse weights, PyTorch eager with `sparse`); measure, since small layers
    gain nothing. Fine-tune afterwards.
    """

    name = "prune-2to4"
    title = "2:4 sparsity"
    formats = {"torch-module": "torch-module"}
    requires = ("torch",)
    kind = "pruning"
    paper = PAPER

    keep: str = option("", "Layers to leave alone, separated by commas", kind="layers")

    def apply(self, source: Artifact, context: Context) -> Artifact:
        import torch

        from engine.formats import torch_module
        from engine.pruning.layers import prunable, without
        from engine.pruning.magnitude import sparsity_report
        from engine.pruning.two_of_four import two_of_four
        from engine.torch_bridge import to_numpy

        module = torch_module.load(source.path)
        weights = without(prunable(module), self.keep)
        skipped = []
        with torch.no_grad():
            for name, parameter in weights.items():
                mask = two_of_four(to_numpy(parameter))
                if mask is None:
                    skipped.append(f"{name} ({parameter.shape[1]} inputs)")
                else:
                    parameter.mul_(torch.from_numpy(mask))
        if len(skipped) == len(weights):
            raise Unsupported(NOTHING, INSTEAD)
        warn_of(skipped, context)
        path = torch_module.save(context.folder, module, source.path, None)
        report = sparsity_report({name: to_numpy(each) for name, each in weights.items()})
        return source.derive("torch-module", path, report=report, skipped=skipped, sparsity="2:4", lossy=LOSSY)


@dataclass(frozen=True)
class Prune2To4Onnx(Step):
    """Zero two of every four neighbouring weights, the pattern that sparse tensor cores skip.

    Halves the work of matrix products on NVIDIA GPUs since Ampere, in FP16 or INT8, where the runtime
    uses it (TensorRT with sparse weights); measure, since small layers gain nothing.
    """

    name = "prune-2to4"
    title = "2:4 sparsity"
    formats = {"onnx": "onnx"}
    requires = ("onnx",)
    kind = "pruning"
    paper = PAPER

    def apply(self, source: Artifact, context: Context) -> Artifact:
        from engine.formats import onnx
        from engine.pruning.magnitude import sparsity_report
        from engine.pruning.onnx_weights import input_axes, replace, values, weight_tensors
        from engine.pruning.two_of_four import two_of_four

        model = onnx.load(source.path)
        tensors, axes = weight_tensors(model), input_axes(model)
        weights, skipped = values(tensors), []
        for name, weight in weights.items():
            mask = two_of_four(weight, axes[name])
            if mask is None:
                skipped.append(f"{name} ({weight.shape[axes[name]]} inputs)")
                continue
            weights[name] = weight * mask
            replace(tensors[name], weights[name])
        if len(skipped) == len(weights):
            raise Unsupported(NOTHING, INSTEAD)
        warn_of(skipped, context)
        path = onnx.save(model, context.folder)
        return source.derive(
            "onnx", path, report=sparsity_report(weights), skipped=skipped, sparsity="2:4", lossy=LOSSY
        )


def warn_of(skipped: list[str], context: Context) -> None:
    """Say which layers stay dense."""
    if skipped:
        more = f" and {len(skipped) - 3} more" if len(skipped) > 3 else ""
        context.warn(f"Left dense, inputs are no multiple of four: {', '.join(skipped[:3])}{more}.")
