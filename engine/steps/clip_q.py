"""CLIP-Q: pruning and quantization in parallel with fine-tuning."""

from __future__ import annotations

from dataclasses import dataclass

from engine.artifact import Artifact
from engine.coding import LOSSY
from engine.plugin import option
from engine.steps.base import Context, Step
from engine.steps.deep_compression import store


@dataclass(frozen=True)
class ClipQ(Step):
    """Clip small weights to zero and quantize the others after every update of a fine-tuning, entropy-coded at the end.

    A weight clipped too early comes back by itself; each layer's clipping and bits are found by Bayesian
    optimisation. Like Deep Compression it makes the file small and nothing faster, so let it be the last step.
    """

    name = "clip-q"
    title = "CLIP-Q"
    formats = {"torch-module": "torch-module"}
    uses = ("dataset", "seed", "device", "threads")
    requires = ("torch", "optuna")
    kind = "coding"
    cost = 6.0
    paper = (
        "Tung & Mori 2018, "
        "https://openaccess.thecvf.com/content_cvpr_2018/html/Tung_CLIP-Q_Deep_Network_CVPR_2018_paper.html"
    )

    trade: float = option(1.0, "How much loss the whole network's bits are worth; higher is smaller", min=0.0, max=1e3)
    trials: int = option(20, "Settings tried for each layer", min=1, max=1000)
    epochs: int = option(10, "Epochs of fine-tuning", min=0, max=1000)
    learning_rate: float = option(1e-3, "Largest step of the optimizer", min=1e-8, max=1.0)
    batch_size: int = option(64, "Samples in one update", min=2, max=4096)
    shift: bool = option(False, "Move training images by up to a pixel at random")
    coding: str = option("adaptive", "How the numbers are coded", choices=("adaptive", "huffman"))
    keep: str = option("", "Layers to leave alone, separated by commas", kind="layers")

    def apply(self, source: Artifact, context: Context) -> Artifact:
        from functools import partial

        import torch

        from engine.coding.clip_q import ClipSettings, compress_by_clipping
        from engine.coding.compression import carry_out
        from engine.formats import torch_module
        from engine.pruning.layers import left_alone

        module = torch_module.load(source.path)
        torch.set_num_threads(context.threads)
        settings = ClipSettings(
            self.trade, self.trials, self.epochs, self.learning_rate, self.batch_size, self.shift, self.keep
        )
        method = partial(compress_by_clipping, settings=settings)
        compressed = carry_out(module, method, self.keep, context, self.title)
        path, report = store(module, compressed, self.coding, source, context)
        for row in report:
            row.update(compressed.found.get(f"{row['layer']}.weight", {}))
        training = [*source.details.get("training", []), compressed.curve]
        return source.derive(
            "torch-module", path, report=report, skipped=left_alone(module), training=training, lossy=LOSSY
        )
