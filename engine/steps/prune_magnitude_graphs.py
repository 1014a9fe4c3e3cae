"""Magnitude pruning of uploads without an architecture: ONNX graphs and TorchScript, at once only."""

from __future__ import annotations

from dataclasses import dataclass

from engine.artifact import Artifact
from engine.errors import Unsupported
from engine.plugin import option
from engine.pruning import LOSSY
from engine.steps.base import Context, Step

NOTHING = "The model has no linear or convolutional layer with stored weights to prune."
INSTEAD = "Upload the weights with their architecture, or try quantization."


@dataclass(frozen=True)
class PruneMagnitudeOnnx(Step):
    """Zero the weights of smallest magnitude in the graph's linear, convolutional and recurrent operators.

    Shrinks the compressed file; ordinary hardware runs no faster, because zeros are multiplied too.
    """

    name = "prune-magnitude"
    title = "Magnitude pruning"
    formats = {"onnx": "onnx"}
    requires = ("onnx",)
    kind = "pruning"
    paper = "Han et al. 2015, https://arxiv.org/abs/1506.02626"

    amount: float = option(0.5, "Fraction of weights set to zero", min=0.0, max=0.999)
    scope: str = option("global", "Rank weights over the whole network or layer by layer", choices=("global", "layer"))

    def apply(self, source: Artifact, context: Context) -> Artifact:
        from engine.formats import onnx
        from engine.pruning.magnitude import keep_masks, sparsity_report
        from engine.pruning.onnx_weights import replace, values, weight_tensors

        model = onnx.load(source.path)
        tensors = weight_tensors(model)
        if not tensors:
            raise Unsupported(NOTHING, INSTEAD)
        weights = values(tensors)
        for name, mask in keep_masks(weights, self.amount, self.scope).items():
            weights[name] = weights[name] * mask
            replace(tensors[name], weights[name])
        path = onnx.save(model, context.folder)
        return source.derive("onnx", path, report=sparsity_report(weights), lossy=LOSSY)


@dataclass(frozen=True)
class PruneMagnitudeScript(Step):
    """Zero the weights of smallest magnitude in the script's linear, convolutional and recurrent layers.

    Shrinks the compressed file; ordinary hardware runs no faster, because zeros are multiplied too.
    """

    name = "prune-magnitude"
    title = "Magnitude pruning"
    formats = {"torchscript": "torchscript"}
    requires = ("torch",)
    kind = "pruning"
    paper = "Han et al. 2015, https://arxiv.org/abs/1506.02626"

    amount: float = option(0.5, "Fraction of weights set to zero", min=0.0, max=0.999)
    scope: str = option("global", "Rank weights over the whole network or layer by layer", choices=("global", "layer"))

    def apply(self, source: Artifact, context: Context) -> Artifact:
        import torch

        from engine.conversion.quiet import quiet_jit
        from engine.formats import torchscript
        from engine.pruning.magnitude import keep_masks, sparsity_report
        from engine.pruning.script_weights import weight_tensors
        from engine.torch_bridge import to_numpy

        script = torchscript.load(source.path)
        tensors = weight_tensors(script)
        if not tensors:
            raise Unsupported(NOTHING, INSTEAD)
        masks = keep_masks({name: to_numpy(each) for name, each in tensors.items()}, self.amount, self.scope)
        with torch.no_grad():
            for name, tensor in tensors.items():
                tensor.mul_(torch.from_numpy(masks[name]))
        path = context.folder / "model.pt"
        with quiet_jit():
            torch.jit.save(script, str(path))
        report = sparsity_report({name: to_numpy(each) for name, each in tensors.items()})
        return source.derive("torchscript", path, report=report, lossy=LOSSY)
