"""CLIP-Q as a whole: search the layers' settings, fine-tune under them, hand out what is to be coded."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass
from typing import Any

from torch import nn

from engine.coding import resuming
from engine.coding.canonical import shared_tensors
from engine.coding.clipping import Clipping
from engine.coding.layer_search import search
from engine.coding.learning import Learning, Running
from engine.coding.pipeline import Compressed, check_outputs, contents_of
from engine.coding.student import Student, compressible
from engine.coding.targets import Lessons
from engine.training.modes import settled, switch
from engine.training.tensors import Tensors

SEARCH = 0.3


@dataclass(frozen=True)
class ClipSettings:
    """`trade` weighs the share of bits saved against the loss while a layer's setting is searched."""

    trade: float = 1.0
    trials: int = 20
    epochs: int = 10
    learning_rate: float = 1e-3
    batch_size: int = 64
    shift: bool = False
    keep: str = ""


def compress_by_clipping(
    module: nn.Module,
    data: tuple[Tensors, Tensors],
    settings: ClipSettings,
    running: Running,
) -> Compressed:
    """Compress a trained module by CLIP-Q, from labels alone. Raises Cancelled, BadInput, StepFailed."""
    device, seed = running.device, running.seed
    teacher = copy.deepcopy(module).requires_grad_(False)
    switch(teacher, training=False)
    with settled(device, seed):
        names = list(compressible(module, settings.keep, biases=False))
        student = Student.of(module, names, settings.learning_rate, device)
        lessons = Lessons(teacher, data[0], running.index, settings.shift, device, needed=False)
        learning = Learning(student, lessons, data[1], settings.batch_size, seed=seed, progress=running.progress)
        learning.cancelled = running.cancelled
        clipping = Clipping(learning)
        learning.checkpoint, learning.companion = running.checkpoint, clipping
        if not resuming.resume(running.checkpoint, learning):
            clipping.settings = search(
                learning,
                settings.trade,
                settings.trials,
                seed,
                lambda done, text: running.progress(SEARCH * done, text),
            )
        clipping.train(settings.epochs, settings.learning_rate, (SEARCH, 1.0))
        shared = shared_tensors(clipping.result(), student.links)
        contents = contents_of(student, module, shared)
        check_outputs(module, student, contents, data[1])
    settings_by_layer: dict[str, Any] = {name: asdict(each) for name, each in clipping.settings.items()}
    return Compressed(contents, learning.curve, learning.warnings, settings_by_layer)
