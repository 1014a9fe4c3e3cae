"""Mix scripting and tracing: keep control flow where it is, record the rest."""

from __future__ import annotations

from dataclasses import dataclass

from engine.artifact import Artifact
from engine.plugin import option
from engine.spec import ModelSpec
from engine.steps.base import Context, Step


@dataclass(frozen=True)
class Mix(Step):
    """Script the submodules whose path depends on data and trace the rest, or the other way round.

    For models that script alone can't compile and trace alone gets wrong. The result is compared
    with the model on further inputs, as a trace is.
    """

    name = "mix"
    title = "Mix script and trace"
    formats = {"torch-module": "torchscript"}
    uses = ("examples", "dataset")
    requires = ("torch",)
    cost = 2.0

    reverse: bool = option(False, "Script the model itself and trace the submodules that it calls")

    @classmethod
    def accepts(cls, spec: ModelSpec) -> str | None:
        return "which parts are scripted is the user's choice; name mix in the recipe"

    def check(self, spec: ModelSpec, device: str) -> str | None:
        if spec.state == "hidden":
            return "the model changes hidden state at each call, and a trace would freeze it; use script"
        return None

    def apply(self, source: Artifact, context: Context) -> Artifact:
        from engine.conversion.fidelity import examine
        from engine.conversion.mixing import script_inside_trace, trace_inside_script
        from engine.conversion.scripts import save
        from engine.formats import torch_module

        module = torch_module.load(source.path)
        make = trace_inside_script if self.reverse else script_inside_trace
        context.progress(0.1, "Looking for control flow")
        mixed = make(torch_module.load(source.path), context.spec, context.example())
        data = context.dataset("calibration") if context.has_dataset("calibration") else None
        facts = examine(module, mixed.script, mixed.warnings, context, precision=source.precision, data=data)
        if "suspect_reason" in facts:
            context.warn(str(facts["suspect_reason"]))
        path = save(mixed.script, context.folder)
        return source.derive("torchscript", path, scripted=mixed.scripted, traced=mixed.traced, **facts)
