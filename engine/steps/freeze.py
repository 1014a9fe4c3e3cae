"""Freeze a script: turn its parameters into constants of the graph."""

from __future__ import annotations

from dataclasses import dataclass

from engine.artifact import Artifact
from engine.errors import StepFailed
from engine.plugin import option
from engine.steps.base import Context, Step


@dataclass(frozen=True)
class Freeze(Step):
    """Turn parameters into constants and inline every call, so that the compiler sees one graph.

    Folds batch normalisation into convolutions and removes dropout and training branches.
    """

    name = "freeze"
    title = "Freeze"
    formats = {"torchscript": "torchscript"}
    requires = ("torch",)
    cost = 0.5
    kind = "conversion"

    fold: bool = option(True, "Fold batch normalisation and arithmetic with constants into convolutions")

    def apply(self, source: Artifact, context: Context) -> Artifact:
        import torch

        from engine.conversion.quiet import quiet_jit
        from engine.conversion.scripts import save
        from engine.formats import torchscript

        script = torchscript.load(source.path)
        try:
            with quiet_jit():
                frozen = torch.jit.freeze(script, optimize_numerics=self.fold)
        except RuntimeError as error:
            raise StepFailed(
                f"The script can't be frozen: {str(error).strip().splitlines()[0]}", "Leave freeze out of the recipe."
            ) from error
        path = save(frozen, context.folder)
        return source.derive("torchscript", path)
