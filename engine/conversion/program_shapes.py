"""An exported program captured anew for one set of sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from engine.spec import ModelSpec

if TYPE_CHECKING:
    from torch.export import ExportedProgram


def at_static_sizes(program: ExportedProgram, spec: ModelSpec, feeds: Mapping[str, Any]) -> ExportedProgram:
    """The program for the sizes of these feeds alone; one without dynamic sizes is returned as it is."""
    import torch

    from engine.torch_bridge import positional

    if not program.range_constraints:
        return program
    return torch.export.export(program.module(), positional(feeds, spec), strict=False)
