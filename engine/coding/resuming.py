"""Let an interrupted compression go on: all that training changes, in one file, written after each epoch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch

from engine.coding.student import Student, adam, resize

if TYPE_CHECKING:
    from engine.coding.learning import Learning

NAME = "compression.pt"


class Companion(Protocol):
    """What is trained beside the student's weights: codebooks, or full-precision weights kept aside."""

    def state(self) -> dict[str, Any]:
        """Everything that going on needs, as tensors and plain data."""

    def load(self, state: dict[str, Any]) -> None:
        """Become what `state` was."""


def save(path: Path, learning: Learning) -> None:
    """Write a checkpoint, whole or not at all."""
    student = learning.student
    state = {
        "module": student.module.state_dict(),
        "masks": student.masks,
        "kept": student.kept,
        "optimizer": student.optimizer.state_dict(),
        "curve": learning.curve,
        "companion": learning.companion.state() if learning.companion else {},
    }
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def resume(path: Path | None, learning: Learning) -> bool:
    """Put a checkpoint's state into place; False when there is none. The same weights come out as without it."""
    if path is None or not path.exists():
        return False
    state = torch.load(path, map_location=learning.lessons.device, weights_only=True)
    load_student(learning.student, state)
    learning.curve.extend(state["curve"])
    learning.resumed = len(learning.curve)
    if learning.companion and state["companion"]:
        learning.companion.load(state["companion"])
    for point in learning.curve:
        learning.progress(None, "Going on after an interruption", curve=point)
    return True


def load_student(student: Student, state: dict[str, Any]) -> None:
    """Cut the units that were cut before, and take over weights, masks and the optimizer's memory."""
    for name, parameter in list(student.module.named_parameters()):
        saved = state["module"][name]
        if saved.shape == parameter.shape:
            continue
        layer = student.module.get_submodule(name.rpartition(".")[0])
        setattr(layer, name.rpartition(".")[2], torch.nn.Parameter(saved.clone()))
        if saved.ndim >= 2:
            resize(layer, "out", saved.shape[0])
            resize(layer, "in", saved.shape[1])
    student.module.load_state_dict(state["module"])
    student.masks = state["masks"]
    student.kept = {name: each.cpu() for name, each in state["kept"].items()}
    student.optimizer = adam(student.module, 1e-3)
    student.optimizer.load_state_dict(state["optimizer"])
