"""Trace a module: record the operators of one call as TorchScript."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

from engine.artifact import Artifact
from engine.errors import StepFailed
from engine.spec import ModelSpec
from engine.steps.base import Context, Step


@dataclass(frozen=True)
class Trace(Step):
    """Record the operators that one call runs, as TorchScript without Python.

    Works for any model whose path does not depend on its data; what does is recorded as it went
    once. The trace is therefore compared with the model on at least 32 further inputs.
    """

    name = "trace"
    title = "Trace"
    formats = {"torch-module": "torchscript"}
    uses = ("examples", "dataset")
    requires = ("torch",)
    cost = 1.0

    @classmethod
    def accepts(cls, spec: ModelSpec) -> str | None:
        if spec.control_flow:
            return "the model branches or loops on its data, and a trace keeps one path alone; script keeps them"
        return None

    def check(self, spec: ModelSpec, device: str) -> str | None:
        if spec.state == "hidden":
            return "the model changes hidden state at each call, and a trace would freeze it; use script"
        return None

    def apply(self, source: Artifact, context: Context) -> Artifact:
        from engine.conversion.fidelity import examine
        from engine.conversion.scripts import save
        from engine.formats import torch_module

        module = torch_module.load(source.path)
        context.progress(0.1, "Tracing")
        traced, seen = trace(module, context.spec, context.example())
        data = context.dataset("calibration") if context.has_dataset("calibration") else None
        facts = examine(module, traced, seen, context, precision=source.precision, data=data)
        if "suspect_reason" in facts:
            context.warn(str(facts["suspect_reason"]))
        path = save(traced, context.folder)
        if context.static_batch is not None:
            facts["batch_size"] = context.static_batch
        return source.derive("torchscript", path, **facts)


def trace(module: Any, spec: ModelSpec, feeds: dict[str, Any]) -> tuple[Any, list[str]]:
    """Trace a module; returns the script, which takes every input in order, and the tracer's warnings."""
    import torch
    from torch.jit._trace import TracerWarning

    from engine.conversion.modules import tensor_inputs, tensors_only
    from engine.conversion.quiet import quiet_jit
    from engine.conversion.scripts import follow_input_device, with_constants

    with warnings.catch_warnings(record=True) as caught, quiet_jit(), torch.no_grad():
        warnings.simplefilter("always", TracerWarning)
        try:
            traced = torch.jit.trace(
                tensors_only(module, spec), tensor_inputs(feeds, spec), check_trace=False, strict=False
            )
        except RuntimeError as error:
            raise StepFailed(
                f"The model can't be traced: {str(error).strip().splitlines()[0]}", "Try script, or export."
            ) from error
        traced = with_constants(follow_input_device(traced), spec)
    seen = [str(each.message).splitlines()[0] for each in caught if issubclass(each.category, TracerWarning)]
    return traced.eval(), list(dict.fromkeys(seen))[:10]
