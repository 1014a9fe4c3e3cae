"""Deep Compression as a whole: prune, share weights, tune the codebooks; what comes out is ready to be coded."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from engine.coding import resuming
from engine.coding.canonical import shared_tensors
from engine.coding.learning import Learning, Running
from engine.coding.saliency import prune_gradually
from engine.coding.sharing import BIASES, Sharing
from engine.coding.student import Student, compressible
from engine.coding.targets import Lessons
from engine.coding.tensors import Contents, Plain, Shared
from engine.errors import StepFailed
from engine.torch_bridge import flatten
from engine.training.modes import settled, switch
from engine.training.tensors import Tensors


@dataclass(frozen=True)
class Settings:
    """How to compress. PAPER is the way of Han et al. 2015, https://arxiv.org/abs/1510.00149.

    `amount` is the fraction of weights pruned, `levels` the centroids of a layer (`conv_levels` those of a
    convolution, 0 for as many).
    """

    amount: float = 0.975
    levels: int = 8
    conv_levels: int = 0
    prune_epochs: int = 20
    share_epochs: int = 8
    tune_epochs: int = 3
    learning_rate: float = 2e-3
    batch_size: int = 128
    score: str = "saliency"
    ramp: float = 0.6
    start: float = 0.3
    temperature: float = 3.0
    alpha: float = 0.7
    shift: bool = True
    biases: bool = True
    keep: str = ""


PAPER = Settings(
    amount=0.92,
    levels=64,
    conv_levels=256,
    score="magnitude",
    ramp=0.0,
    start=1.0,
    alpha=0.0,
    shift=False,
    biases=False,
)


@dataclass
class Compressed:
    """The compressed network: what goes into the file, how training went, and settings found by a search."""

    contents: Contents
    curve: list[dict[str, Any]]
    warnings: list[str] = field(default_factory=list)
    found: dict[str, Any] = field(default_factory=dict)


def compress(
    module: nn.Module,
    data: tuple[Tensors, Tensors],
    settings: Settings,
    running: Running,
) -> Compressed:
    """Compress a trained module, which learns from itself as it was. Raises Cancelled, BadInput, StepFailed."""
    device = running.device
    names = list(compressible(module, settings.keep, biases=settings.biases))
    teacher = copy.deepcopy(module).to(device).requires_grad_(False)
    switch(teacher, training=False)
    with settled(device, running.seed):
        student = Student.of(module, names, settings.learning_rate, device)
        learning = Learning(
            student,
            Lessons(teacher, data[0], running.index, settings.shift, device, settings.alpha > 0.0),
            data[1],
            settings.batch_size,
            settings.temperature,
            settings.alpha,
            running.seed,
            running.progress,
            running.cancelled,
        )
        sharing = Sharing(learning, levels_of(student, settings), settings.score == "saliency")
        learning.checkpoint, learning.companion = running.checkpoint, sharing
        resuming.resume(running.checkpoint, learning)
        total = max(1, settings.prune_epochs + settings.share_epochs + settings.tune_epochs)
        ends = (settings.prune_epochs / total, (settings.prune_epochs + settings.share_epochs) / total)
        rate = settings.learning_rate
        prune_gradually(
            learning,
            settings.amount,
            settings.prune_epochs,
            rate,
            (0.0, ends[0]),
            score=settings.score,
            ramp=settings.ramp,
        )
        sharing.share(settings.share_epochs, rate / 4, ends, start=settings.start)
        sharing.tune(settings.tune_epochs, rate / 4, (ends[1], 1.0))
        sharing.round()
        shared = shared_tensors(sharing.result(), student.links)
        contents = contents_of(student, module, shared)
        check_outputs(module, student, contents, data[1])
    return Compressed(contents, learning.curve, learning.warnings)


@torch.no_grad()
def check_outputs(module: nn.Module, student: Student, contents: Contents, data: Tensors) -> None:
    """Raise StepFailed when what will be stored does not compute what was trained."""
    stored = copy.deepcopy(module)
    state = {name: torch.from_numpy(each) for name, each in contents.values().items()}
    stored.load_state_dict(state, strict=False)
    switch(stored, training=False)
    switch(student.module.cpu(), training=False)
    batch = data.take(torch.arange(min(32, len(data))))
    pairs = zip(flatten(stored(*batch.inputs)), flatten(student.module(*batch.inputs)), strict=True)
    if not all(torch.allclose(a, b, rtol=1e-3, atol=1e-3 * float(b.abs().max())) for a, b in pairs):
        raise StepFailed(
            "The compressed network does not compute what was trained.",
            "Report it with the model; magnitude pruning works meanwhile.",
        )


def levels_of(student: Student, settings: Settings) -> dict[str, int]:
    """How many centroids each weight matrix has; all biases share one codebook."""
    found = {BIASES: settings.levels}
    for name, parameter in student.parameters().items():
        found[name] = settings.conv_levels or settings.levels if parameter.ndim > 2 else settings.levels
    return found


def contents_of(student: Student, module: nn.Module, shared: list[Shared]) -> Contents:
    """Every tensor of the network's state: shared where it was compressed, plain elsewhere."""
    by_name = {each.name: each for each in shared}
    state = student.module.state_dict()
    tensors: list[Shared | Plain] = []
    for name in module.state_dict():
        if name in by_name:
            tensors.append(by_name[name])
        elif isinstance(state[name], torch.Tensor) and not state[name].is_quantized:
            tensors.append(Plain(name, plain(state[name])))
    return Contents(tuple(tensors))


def plain(tensor: torch.Tensor) -> np.ndarray:
    array: np.ndarray = tensor.detach().cpu().numpy()
    return array
