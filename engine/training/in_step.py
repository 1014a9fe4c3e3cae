"""Training as a step carries it out: data, device and seed from its context, curves to its progress."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import torch

from engine.errors import StepFailed
from engine.steps.base import Context
from engine.training.loop import Trainer
from engine.training.masks import Masks
from engine.training.modes import require_full_precision
from engine.training.objective import Classification, Objective
from engine.training.plan import Plan
from engine.training.tensors import Tensors, require_labels, scores_index, tensors_of

Part = tuple[float, float]


def labelled_data(context: Context, what: str) -> tuple[Tensors, Tensors]:
    """The training and the validation split; raises BadInput without a data set or without labels."""
    train = tensors_of(context.dataset("train"), context.spec)
    require_labels(train, what)
    return train, tensors_of(context.dataset("validation"), context.spec)


def train_module(
    module: torch.nn.Module,
    data: tuple[Tensors, Tensors],
    plan: Plan,
    context: Context,
    *,
    what: str,
    objective: Objective | None = None,
    masks: Masks | None = None,
    part: Part = (0.0, 1.0),
    stage: str = "training",
) -> list[dict[str, Any]]:
    """Train a module in place and return its curves, one dict an epoch.

    `stage` names the checkpoint, for steps that train several times. Warns when training diverged.
    """
    require_full_precision(module, what)
    torch.set_num_threads(context.threads)
    if plan.mixed_precision and not context.device.startswith("cuda"):
        context.warn(f"{what}: mixed precision needs a GPU; it ran in FP32.")
    index = scores_index(context.spec)
    trainer = Trainer(
        module=module,
        train=data[0],
        validation=data[1],
        objective=objective or Classification(index),
        plan=plan,
        scores=index,
        device=context.device,
        seed=context.seed,
        masks=masks or {},
        checkpoint=context.checkpoint() / f"{stage}.pt",
        progress=within(context, part),
        cancelled=context.cancelled,
    )
    try:
        history = trainer.run()
    except (RuntimeError, IndexError) as error:
        if "memory" in str(error).lower():
            raise
        first = str(error).strip().splitlines()[0]
        raise StepFailed(f"{what} failed: {first}", "Check that the data set is the model's, then retry.") from error
    if trainer.warning:
        context.warn(trainer.warning)
    elif trainer.best_epoch == 0:
        context.warn(f"{what}: no epoch was better on the validation split than the start, so nothing was changed.")
    return [asdict(each) for each in history]


def forget_checkpoints(context: Context) -> None:
    """Remove what interrupted training would have gone on from; called when a step is done."""
    if not context.cancelled():
        shutil.rmtree(context.checkpoint(), ignore_errors=True)


def within(context: Context, part: Part) -> Callable[..., None]:
    """The context's progress over a part of the step."""

    def progress(fraction: float | None, text: str = "", **data: Any) -> None:
        whole = None if fraction is None else part[0] + (part[1] - part[0]) * fraction
        context.progress(whole, text, **data)

    return progress
