"""Deep Compression of PyTorch modules: prune, share weights, entropy-code, as one file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.artifact import Artifact
from engine.coding import LOSSY
from engine.plugin import option
from engine.steps.base import Context, Step

METHODS = ("better", "paper")


@dataclass(frozen=True)
class DeepCompression(Step):
    """Prune, put what is left onto a few shared values, and store it entropy-coded: the smallest file.

    The network learns from itself as it was while it shrinks. Nothing runs faster, because the weights are
    decoded on loading; steps that follow store them in full again, so let this one be the last.
    """

    name = "deep-compression"
    version = 2
    title = "Deep Compression"
    formats = {"torch-module": "torch-module"}
    uses = ("dataset", "seed", "device", "threads")
    requires = ("torch",)
    kind = "coding"
    cost = 6.0
    paper = "Han et al. 2015, https://arxiv.org/abs/1510.00149"

    amount: float = option(0.9, "Fraction of weights set to zero", min=0.0, max=0.999)
    levels: int = option(16, "Shared values of a layer", min=2, max=256)
    method: str = option(
        "better", "paper: by magnitude, all at once; better: by saliency, gradually, distilled", choices=METHODS
    )
    coding: str = option(
        "adaptive", "How the numbers are coded; huffman is the paper's", choices=("adaptive", "huffman")
    )
    prune_epochs: int = option(10, "Epochs of pruning", min=1, max=1000)
    share_epochs: int = option(5, "Epochs over which weights are put onto shared values", min=0, max=1000)
    tune_epochs: int = option(3, "Epochs in which the shared values alone are trained", min=0, max=1000)
    learning_rate: float = option(1e-3, "Learning rate of the pruning; a quarter of it afterwards", min=1e-8, max=1.0)
    batch_size: int = option(64, "Samples in one update", min=2, max=4096)
    shift: bool = option(False, "Move training images by up to a pixel at random")
    keep: str = option("", "Layers to leave alone, separated by commas", kind="layers")

    def apply(self, source: Artifact, context: Context) -> Artifact:
        from functools import partial

        import torch

        from engine.coding.compression import carry_out
        from engine.coding.pipeline import compress
        from engine.formats import torch_module
        from engine.pruning.layers import left_alone

        module = torch_module.load(source.path)
        torch.set_num_threads(context.threads)
        compressed = carry_out(module, partial(compress, settings=self.settings()), self.keep, context, self.title)
        path, report = store(module, compressed, self.coding, source, context)
        training = [*source.details.get("training", []), compressed.curve]
        return source.derive(
            "torch-module", path, report=report, skipped=left_alone(module), training=training, lossy=LOSSY
        )

    def settings(self) -> Any:
        """The settings of the pipeline that the options stand for."""
        from engine.coding.pipeline import PAPER, Settings

        base = PAPER if self.method == "paper" else Settings()
        return replace(
            base,
            amount=self.amount,
            levels=self.levels,
            conv_levels=0,
            prune_epochs=self.prune_epochs,
            share_epochs=self.share_epochs,
            tune_epochs=self.tune_epochs,
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            shift=self.shift,
            keep=self.keep,
        )


def store(
    module: Any, compressed: Any, coding: str, source: Artifact, context: Context
) -> tuple[Path, list[dict[str, Any]]]:
    """Write the folder of a module whose weights are the compressed file; returns it and a row a layer."""
    from safetensors import safe_open

    from engine.coding import container
    from engine.coding.report import layer_report
    from engine.coding.tensors import Contents
    from engine.formats import torch_module

    context.progress(0.99, "Coding the weights")
    before = {name: each.detach().clone() for name, each in module.state_dict().items()}
    path = torch_module.save(context.folder, module, source.path, None)
    with safe_open(path / torch_module.WEIGHTS, framework="numpy") as stored:
        names = set(stored.keys())
    contents = Contents(tuple(each for each in compressed.contents.tensors if each.name in names))
    container.write(path / torch_module.COMPRESSED, contents, coding)
    (path / torch_module.WEIGHTS).unlink()
    return path, layer_report(contents, before)
