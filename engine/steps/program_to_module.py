"""Exported program to PyTorch module: what training and pruning steps can work on."""

from __future__ import annotations

from dataclasses import dataclass

from engine.artifact import Artifact
from engine.steps.base import Context, Step


@dataclass(frozen=True)
class ProgramToModule(Step):
    """Open an exported program as a PyTorch module, so that eager and torch.compile can run it.

    The module is the captured graph: its weights keep their names, its Python source is gone.
    """

    name = "program-to-module"
    title = "Program to module"
    formats = {"exported-program": "torch-module"}
    requires = ("torch",)
    cost = 1.0

    def apply(self, source: Artifact, context: Context) -> Artifact:
        from engine.conversion.carried import save_program
        from engine.formats import exported_program, torch_module

        program = exported_program.load(source.path)
        state = program.module().state_dict()
        save_program(program, context.folder / torch_module.CARRIED[0])
        path = torch_module.write(context.folder, torch_module.PROGRAM, {}, state)
        return source.derive("torch-module", path)
