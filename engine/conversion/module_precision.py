"""Half precision for the torch-module format: what is recorded, and how it is repeated on load."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.artifact import Artifact
from engine.conversion.batchnorm import fold_batchnorm, refold
from engine.conversion.casting import cast_module, refused, runs
from engine.steps.base import Context


def lower_module(
    source: Artifact, context: Context, dtype: str, *, fold: bool, step: str
) -> tuple[Path, dict[str, Any]]:
    """Write the module in `dtype` into the context's folder; returns the path and what was recorded.

    Layers cast their own inputs only where the model does not run otherwise.
    """
    from engine.formats import torch_module
    from engine.torch_bridge import positional

    inputs = positional(context.example(), context.spec)
    record: dict[str, Any] = {"step": step, "folded": [], "leaves": False}
    module = torch_module.load(source.path)
    if fold:
        record["folded"] = fold_batchnorm(module)
    module = cast_module(module, dtype)
    context.progress(0.5, "Running it once")
    problem = runs(module, inputs)
    if problem:
        record["leaves"] = True
        module = torch_module.load(source.path)
        if fold:
            fold_batchnorm(module)
        module = cast_module(module, dtype, leaves=True)
        problem = runs(module, inputs)
        if problem:
            raise refused(problem, dtype) from problem
        context.warn("Part of the model computes in float32 by name; its layers cast their inputs themselves.")
    return torch_module.save(context.folder, module, source.path, record), record


def replay(module: Any, record: Mapping[str, Any], dtype: str) -> Any:
    """Repeat the change on a freshly built module, before its weights load."""
    refold(module, record.get("folded", []))
    return cast_module(module, dtype, leaves=bool(record.get("leaves")))
