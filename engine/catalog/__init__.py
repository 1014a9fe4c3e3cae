"""Architectures by name: `torchvision.resnet18`, `timm.vit_tiny_patch16_224`, `operator.mine.build`, …

A name is the prefix of a source and what that source calls the architecture. Building one runs code
that is installed here or that the operator put into place, never code from an upload.
"""

from __future__ import annotations

import difflib
import functools
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from engine.catalog.base import Description, Source
from engine.errors import BadInput, OptibenchError
from engine.plugin import scan

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Description", "Source", "all_sources", "build", "describe", "names", "source_of"]


@functools.cache
def all_sources() -> dict[str, type[Source]]:
    """Every source of architectures by its prefix."""
    return {each.name: each for each in scan(sys.modules[__name__], Source)}


def source_of(architecture: str) -> tuple[type[Source], str]:
    """The source of an architecture and its name there; raises BadInput naming near misses."""
    prefix, _, rest = architecture.partition(".")
    source = all_sources().get(prefix)
    if source is None or not rest:
        offered = ", ".join(f"{each}.…" for each in all_sources())
        raise BadInput(f"There is no architecture {architecture!r}.", f"Names start with one of: {offered}.")
    missing = source.missing()
    if missing:
        raise missing
    return source, rest


def names() -> dict[str, list[str]]:
    """Every architecture's full name by source, for what is installed here. Imports heavy libraries."""
    return {
        prefix: [f"{prefix}.{each}" for each in source.names()]
        for prefix, source in all_sources().items()
        if source.missing() is None
    }


def build(architecture: str, arguments: Mapping[str, Any]) -> nn.Module:
    """Build the bare module: random weights, eval mode, CPU, called with inputs in order.

    Raises BadInput when the name is unknown or the arguments don't fit.
    """
    source, rest = source_of(architecture)
    known = source.names()
    if known and not source.open_ended and rest not in known:
        near = difflib.get_close_matches(rest, known, n=3)
        hint = f"Did you mean {' or '.join(f'{source.name}.{each}' for each in near)}?" if near else source.where
        raise BadInput(f"{source.title} has no architecture {rest!r}.", hint)
    try:
        return source.build(rest, arguments).eval()
    except OptibenchError:
        raise
    except Exception as error:  # a stranger's constructor may raise anything
        raise BadInput(
            f"{architecture} could not be built with {dict(arguments)!r}: {type(error).__name__}: {error}",
            "Check the arguments against the architecture's own documentation.",
        ) from error


def describe(architecture: str, arguments: Mapping[str, Any], module: nn.Module) -> Description:
    """What is known about an architecture's inputs, task and preprocessing."""
    source, rest = source_of(architecture)
    return source.describe(rest, arguments, module)
