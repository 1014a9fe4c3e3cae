"""Train a student from its teacher and its labels while something is done to its weights between updates."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from engine.coding import resuming
from engine.coding.student import Student
from engine.coding.targets import Lessons
from engine.data.splits import UNLABELLED
from engine.errors import StepFailed
from engine.training.distillation import soft_loss
from engine.training.modes import switch
from engine.training.objective import Classification, judge, label_loss
from engine.training.tensors import Batch, Tensors, scores_of

Progress = Callable[..., None]
Rate = Callable[[float], float]
CHECKS = 20


class Cancelled(Exception):
    """The user asked to stop."""


@dataclass(frozen=True)
class Running:
    """How a compression is run: which output has the scores, where, from which seed, and who watches.

    It goes on from `checkpoint`, a file, where an interrupted run left one.
    """

    index: int = 0
    device: str = "cpu"
    seed: int = 0
    progress: Progress = lambda *_, **__: None
    cancelled: Callable[[], bool] = lambda: False
    checkpoint: Path | None = None


@dataclass
class Learning:
    """What every phase of compression shares: the student, what it learns from, and how it is watched.

    `hold` runs after each update and puts back what must not move. A loss that is not finite stops the
    phase and restores the last state that was. After each epoch `checkpoint` is written, with what `companion`
    trains beside the student; epochs that an interrupted run had finished (`resumed`) are not done again.
    """

    student: Student
    lessons: Lessons
    validation: Tensors
    batch_size: int = 128
    temperature: float = 3.0
    alpha: float = 0.7
    seed: int = 0
    progress: Progress = lambda *_, **__: None
    cancelled: Callable[[], bool] = lambda: False
    warnings: list[str] = field(default_factory=list)
    curve: list[dict[str, Any]] = field(default_factory=list)
    checkpoint: Path | None = None
    companion: resuming.Companion | None = None
    resumed: int = 0
    passed: int = 0

    def train(
        self,
        epochs: int,
        rate: Rate,
        title: str,
        part: tuple[float, float],
        *,
        between: Callable[[float], None] = lambda _: None,
        update: Callable[[float], None] | None = None,
    ) -> None:
        """Go through the lessons `epochs` times.

        `rate` gives the learning rate at a fraction of the phase; `between` is told that fraction every
        few updates; `update` replaces the optimizer's step. Raises Cancelled.
        """
        steps_an_epoch = max(1, -(-len(self.lessons.data) // self.batch_size))
        steps = epochs * steps_an_epoch
        every = max(1, steps_an_epoch // CHECKS)
        first = min(epochs, max(0, self.resumed - self.passed))
        self.passed += epochs
        done, good = first * steps_an_epoch, self.state()
        for epoch in range(first, epochs):
            generator = torch.Generator().manual_seed((self.seed * 1_000_003 + len(self.curve)) % (1 << 62))
            torch.manual_seed(self.seed * 1_000_003 + len(self.curve))
            switch(self.student.module, training=True)
            total, started = 0.0, time.monotonic()
            for batch, taught in self.lessons.batches(self.batch_size, generator):
                if done % every == 0:
                    self.watch(part, done / steps, title)
                    between(done / steps)
                loss = self.loss(batch, taught)
                total += float(loss.detach()) * len(batch)
                if not math.isfinite(total):
                    self.restore(good, title)
                    return
                self.step(loss, rate(done / steps), update)
                done += 1
            good = self.state()
            self.record(title, epoch, total / max(1, len(self.lessons.data)), time.monotonic() - started, part, epochs)
            if self.checkpoint is not None:
                resuming.save(self.checkpoint, self)

    def loss(self, batch: Batch, taught: torch.Tensor) -> torch.Tensor:
        """The teacher's soft scores and the labels, weighed by alpha; the teacher alone without labels."""
        scores = scores_of(self.student.module, batch, self.lessons.index)
        if not self.lessons.needed:
            return label_loss(scores, batch.labels)
        soft = soft_loss(scores, taught, self.temperature)
        if not bool((batch.labels != UNLABELLED).any()):
            return soft
        return self.alpha * soft + (1.0 - self.alpha) * label_loss(scores, batch.labels)

    def step(self, loss: torch.Tensor, rate: float, update: Callable[[float], None] | None) -> None:
        """One update at a learning rate, after which pruned weights are zero again."""
        self.student.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if update is not None:
            update(rate)
            return
        for group in self.student.optimizer.param_groups:
            group["lr"] = rate
        self.student.optimizer.step()
        self.student.hold()

    def watch(self, part: tuple[float, float], fraction: float, title: str) -> None:
        if self.cancelled():
            raise Cancelled
        self.progress(part[0] + (part[1] - part[0]) * fraction, title)

    def state(self) -> dict[str, torch.Tensor]:
        return {name: each.detach().clone() for name, each in self.student.module.state_dict().items()}

    def restore(self, good: dict[str, torch.Tensor], title: str) -> None:
        """Go back to the last weights whose loss was finite, and say so."""
        shapes = {name: each.shape for name, each in self.student.module.state_dict().items()}
        if any(each.shape != shapes[name] for name, each in good.items()):
            raise StepFailed(f"{title}: the loss is not finite any more.", "Lower the learning rate or the amount.")
        self.student.module.load_state_dict(good)
        self.student.hold()
        self.checkpoint = None  # going on would skip what did not diverge
        self.warnings.append(
            f"{title} diverged (the loss is not finite) and was stopped; the last good weights were kept. "
            "Lower the learning rate."
        )

    def record(
        self, title: str, epoch: int, loss: float, seconds: float, part: tuple[float, float], epochs: int
    ) -> None:
        """Judge on the validation split and add a point to the curves."""
        switch(self.student.module, training=False)
        index, device = self.lessons.index, self.lessons.device
        found = judge(self.student.module, self.validation, Classification(index), index, device=device)
        point = {
            "phase": title,
            "epoch": len(self.curve) + 1,
            "train_loss": loss,
            "validation_loss": found.loss,
            "validation_accuracy": found.accuracy,
            "kept": self.student.count(),
            "seconds": round(seconds, 2),
        }
        self.curve.append(point)
        text = f"{title}, epoch {epoch + 1} of {epochs}"
        self.progress(part[0] + (part[1] - part[0]) * (epoch + 1) / epochs, text, curve=point)
