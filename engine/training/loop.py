"""The training loop: resumable, seeded, judged on the validation split, safe against NaN."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from engine.errors import StepFailed
from engine.training.augment import augment
from engine.training.masks import Masks, apply_masks
from engine.training.modes import settled, switch
from engine.training.objective import Judgement, Objective, judge
from engine.training.plan import Plan
from engine.training.tensors import Tensors

Progress = Callable[..., None]


@dataclass(frozen=True)
class Epoch:
    """One point of the live curves; epoch 0 is before any training."""

    epoch: int
    train_loss: float | None
    validation_loss: float
    validation_accuracy: float | None


@dataclass
class Trainer:
    """One training run: what to minimize on what data, and where.

    `checkpoint` is a file that survives an interruption; a run that finds one goes on from there
    and ends with the same weights as one that was never interrupted. A finished one is taken as it is.
    """

    module: torch.nn.Module
    train: Tensors
    validation: Tensors
    objective: Objective
    plan: Plan
    scores: int = 0
    device: str = "cpu"
    seed: int = 0
    masks: Masks = field(default_factory=dict)
    checkpoint: Path | None = None
    progress: Progress = lambda *_, **__: None
    cancelled: Callable[[], bool] = lambda: False
    history: list[Epoch] = field(default_factory=list)
    warning: str = ""
    best_epoch: int = 0

    def run(self) -> list[Epoch]:
        """Train and leave the weights that were best on the validation split in the module.

        A loss that is not finite ends training with the best weights so far and sets `warning`.
        Raises StepFailed when the module's loss is not finite before any training.
        """
        self.module.to(self.device)
        with settled(self.device, self.seed):
            self.optimizer = self.plan.make_optimizer([each for each in self.module.parameters() if each.requires_grad])
            self.scaler = torch.amp.GradScaler(enabled=self.amp_dtype is torch.float16)
            if not self.resume():
                self.begin()
            while len(self.history) <= self.plan.epochs and not self.finished():
                self.one_epoch(len(self.history))
        self.module.load_state_dict(self.best)
        switch(self.module, training=False)
        self.module.to("cpu")
        return self.history

    @property
    def amp_dtype(self) -> torch.dtype | None:
        """The narrower type of mixed precision, on a GPU when it is asked for."""
        if not self.plan.mixed_precision or not self.device.startswith("cuda"):
            return None
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16

    def begin(self) -> None:
        """Judge the module as it is; what follows has to be better."""
        apply_masks(self.module, self.masks)
        before = self.judged()
        if not math.isfinite(before.loss):
            raise StepFailed("The model's loss is not finite before training.", "Its weights or data hold NaN.")
        self.best, self.best_rank, self.best_epoch = copy.deepcopy(self.module.state_dict()), before.rank, 0
        self.record(Epoch(0, None, before.loss, before.accuracy))

    def finished(self) -> bool:
        """Whether training ends before its last epoch."""
        waited = len(self.history) - 1 - self.best_epoch
        return bool(self.warning) or self.cancelled() or (0 < self.plan.patience <= waited)

    def one_epoch(self, epoch: int) -> None:
        """Train through all samples once, judge, remember the best, write the checkpoint."""
        loss = self.train_epoch(epoch)
        if loss is None:
            return
        found = self.judged()
        if not math.isfinite(found.loss):
            self.diverged(epoch)
            return
        if found.rank > self.best_rank:
            self.best, self.best_rank, self.best_epoch = copy.deepcopy(self.module.state_dict()), found.rank, epoch
        self.record(Epoch(epoch, loss, found.loss, found.accuracy))
        self.save()

    def train_epoch(self, epoch: int) -> float | None:
        """The mean training loss of one epoch, or None when it diverged or was cancelled."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        torch.manual_seed(self.seed * 1_000_003 + epoch)
        size = min(self.plan.batch_size, len(self.train))
        count = -(-len(self.train) // size)
        switch(self.module, training=True)
        total, seen, told = 0.0, 0, time.monotonic()
        for number, batch in enumerate(
            self.train.batches(size, self.device, torch.randperm(len(self.train), generator=generator))
        ):
            self.set_rate((epoch - 1) * count + number, self.plan.epochs * count)
            loss = self.update(augment(batch, self.plan.augmentation, generator))
            if not math.isfinite(loss):
                self.diverged(epoch)
                return None
            total, seen = total + loss * len(batch), seen + len(batch)
            if time.monotonic() - told > 1.0:
                told = time.monotonic()
                if self.cancelled():
                    return None
                self.progress(
                    (epoch - 1 + number / count) / self.plan.epochs, f"Training, epoch {epoch} of {self.plan.epochs}"
                )
        return total / max(1, seen)

    def update(self, batch: Any) -> float:
        """One step of the optimizer; returns the loss before it."""
        kind = self.device.partition(":")[0]
        with torch.autocast(kind, self.amp_dtype) if self.amp_dtype else nullcontext():
            loss = self.objective(self.module, batch)
        value = float(loss.detach())
        if math.isfinite(value):
            self.optimizer.zero_grad(set_to_none=True)
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()
            apply_masks(self.module, self.masks)
        return value

    def set_rate(self, step: int, steps: int) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.plan.rate(step, steps)

    def judged(self) -> Judgement:
        """Loss and accuracy on the validation split."""
        switch(self.module, training=False)
        return judge(self.module, self.validation, self.objective, self.scores, device=self.device)

    def diverged(self, epoch: int) -> None:
        self.warning = (
            f"Training diverged in epoch {epoch} (the loss is not finite) and was stopped; "
            f"the weights of epoch {self.best_epoch} were kept. Lower the learning rate."
        )

    def record(self, point: Epoch) -> None:
        """Add a point to the curves and show it."""
        self.history.append(point)
        accuracy = "" if point.validation_accuracy is None else f", accuracy {point.validation_accuracy:.1%}"
        self.progress(
            point.epoch / max(1, self.plan.epochs),
            f"Epoch {point.epoch} of {self.plan.epochs}: validation loss {point.validation_loss:.3f}{accuracy}",
            curve=asdict(point),
        )

    def save(self) -> None:
        """Write everything that going on needs, atomically."""
        if self.checkpoint is None:
            return
        state = {
            "module": self.module.state_dict(),
            "best": self.best,
            "best_rank": list(self.best_rank),
            "best_epoch": self.best_epoch,
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "history": [asdict(each) for each in self.history],
        }
        partial = self.checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self.checkpoint)

    def resume(self) -> bool:
        """Go on from a checkpoint; False when there is none."""
        if self.checkpoint is None or not self.checkpoint.exists():
            return False
        state = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        self.module.load_state_dict(state["module"])
        self.best, self.best_epoch = state["best"], state["best_epoch"]
        self.best_rank = (state["best_rank"][0], state["best_rank"][1])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        self.history.extend(Epoch(**each) for each in state["history"])
        for point in self.history:
            self.progress(point.epoch / max(1, self.plan.epochs), "Going on after an interruption", curve=asdict(point))
        return True
