"""Fine-tuning on the user's labelled data."""

from __future__ import annotations

from dataclasses import dataclass

from engine.artifact import Artifact
from engine.plugin import option
from engine.steps.base import Context, Step
from engine.training import LOSSY


@dataclass(frozen=True)
class Finetune(Step):
    """Train the model further on the data set, to win back what pruning or quantization lost.

    The weights that are best on the validation split are kept; the test split is never seen.
    Pruned weights stay zero.
    """

    name = "finetune"
    title = "Fine-tuning"
    formats = {"torch-module": "torch-module"}
    uses = ("dataset", "seed", "device", "threads")
    requires = ("torch",)
    kind = "training"

    epochs: int = option(5, "How often to go through the training samples", min=1, max=1000)
    learning_rate: float = option(1e-3, "Largest step of the optimizer", min=1e-8, max=10.0)
    optimizer: str = option("adamw", "How weights are updated", choices=("adamw", "sgd"))
    schedule: str = option("cosine", "How the learning rate falls", choices=("cosine", "linear", "constant"))
    batch_size: int = option(64, "Samples in one update", min=1, max=4096)
    weight_decay: float = option(0.01, "Pull towards small weights", min=0.0, max=1.0)
    patience: int = option(0, "Stop after this many epochs without improvement; 0 never", min=0, max=1000)
    augmentation: str = option(
        "none", "Change training images at random", choices=("none", "shift", "flip", "shift-flip")
    )
    mixed_precision: bool = option(False, "Compute in BF16 or FP16 where that is safe (GPU)")
    keep_zeros: bool = option(True, "Hold pruned weights at zero")

    def apply(self, source: Artifact, context: Context) -> Artifact:
        from engine.formats import torch_module
        from engine.training.in_step import forget_checkpoints, labelled_data, train_module
        from engine.training.masks import masks_of
        from engine.training.plan import Plan

        data = labelled_data(context, self.title)
        module = torch_module.load(source.path)
        plan = Plan(
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            optimizer=self.optimizer,
            schedule=self.schedule,
            batch_size=self.batch_size,
            weight_decay=self.weight_decay,
            patience=self.patience,
            mixed_precision=self.mixed_precision,
            augmentation=self.augmentation,
        )
        masks = masks_of(module) if self.keep_zeros else {}
        curves = train_module(module, data, plan, context, what=self.title, masks=masks)
        path = torch_module.save(context.folder, module, source.path, None)
        forget_checkpoints(context)
        return source.derive("torch-module", path, lossy=LOSSY, training=[*source.details.get("training", []), curves])
