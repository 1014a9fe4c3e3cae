"""Compression as a step carries it out: data, device and seed from its context, curves to its progress."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from engine.coding import resuming
from engine.coding.learning import Cancelled, Running
from engine.coding.pipeline import Compressed
from engine.coding.student import compressible
from engine.errors import PhaseFailed, StepFailed, Unsupported
from engine.steps.base import Context
from engine.training.in_step import forget_checkpoints, labelled_data
from engine.training.modes import require_full_precision
from engine.training.tensors import scores_index


def carry_out(
    module: nn.Module, method: Callable[..., Compressed], keep: str, context: Context, what: str
) -> Compressed:
    """Compress a module with the context's data by a method such as `pipeline.compress` with its settings.

    Raises BadInput without a labelled data set, Unsupported when nothing can be compressed, StepFailed when
    training fails, PhaseFailed when it was cancelled.
    """
    data = labelled_data(context, what)
    require_full_precision(module, what)
    if not compressible(module, keep):
        raise Unsupported("The model has no linear or convolutional layer to compress.", "Try half precision.")
    narrow = [name for name, each in module.state_dict().items() if unstorable(each)]
    if narrow:
        raise Unsupported(f"{what} can't store {narrow[0]}.", "Put it before quantization or a change of precision.")
    running = Running(
        index=scores_index(context.spec),
        device=context.device,
        seed=context.seed,
        progress=context.progress,
        cancelled=context.cancelled,
        checkpoint=context.checkpoint() / resuming.NAME,
    )
    try:
        made = method(module, data, running=running)
    except Cancelled as error:
        raise PhaseFailed("cancelled", "Cancelled.", "Retry it from the Runs page.") from error
    except (RuntimeError, IndexError) as error:
        if "memory" in str(error).lower():
            raise
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise StepFailed(f"{what} failed: {first}", "Check that the data set is the model's, then retry.") from error
    forget_checkpoints(context)
    for each in made.warnings:
        context.warn(each)
    return made


def unstorable(value: Any) -> bool:
    """Whether the compressed file has no type for a tensor."""
    plain = isinstance(value, torch.Tensor) and type(value) in (torch.Tensor, nn.Parameter) and not value.is_quantized
    return plain and (value.dtype == torch.bfloat16 or value.is_complex())
