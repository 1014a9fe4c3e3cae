"""Script a module: compile its Python into TorchScript, branches and loops included."""

from __future__ import annotations

from dataclasses import dataclass

from engine.artifact import Artifact
from engine.spec import ModelSpec
from engine.steps.base import Context, Step


@dataclass(frozen=True)
class Script(Step):
    """Compile the model's Python source to TorchScript, branches and loops included.

    Needs source that stays within TorchScript's subset of Python; what it can't compile is named.
    """

    name = "script"
    title = "Script"
    formats = {"torch-module": "torchscript"}
    uses = ("examples",)
    requires = ("torch",)
    cost = 1.5

    @classmethod
    def accepts(cls, spec: ModelSpec) -> str | None:
        return None

    def apply(self, source: Artifact, context: Context) -> Artifact:
        from engine.conversion.scripting import script_module
        from engine.conversion.scripts import control_flow, save
        from engine.formats import torch_module

        module = torch_module.load(source.path)
        context.progress(0.2, "Compiling the model's source")
        script = script_module(module, context.spec, context.example())
        path = save(script, context.folder)
        return source.derive("torchscript", path, control_flow=control_flow(script))
