"""Train and eval mode, and settings that make training repeatable."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from engine.errors import Unsupported


def switch(module: torch.nn.Module, *, training: bool) -> None:
    """Put a module into train or eval mode; raises Unsupported when it has none (exported programs)."""
    try:
        module.train(training)
    except NotImplementedError as error:
        if training:
            raise Unsupported(
                "A module made from an exported program can't be trained.",
                "Upload the weights with their architecture.",
            ) from error


def require_full_precision(module: torch.nn.Module, what: str) -> None:
    """Raise Unsupported when floating weights are not float32, in which training loses its small updates."""
    other = next(
        (each.dtype for each in module.parameters() if each.is_floating_point() and each.dtype != torch.float32), None
    )
    if other is not None:
        name = str(other).removeprefix("torch.")
        raise Unsupported(
            f"{what} needs float32 weights, and these are {name}.", "Put it before the change of precision."
        )


@contextmanager
def settled(device: str, seed: int) -> Iterator[None]:
    """The same seed gives the same weights: fixed generators, deterministic cuDNN."""
    torch.manual_seed(seed)
    before = (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark)
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
    try:
        yield
    finally:
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = before
