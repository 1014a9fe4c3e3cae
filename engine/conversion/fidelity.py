"""Trace fidelity: does a trace still do what the module does, on inputs it was not recorded with?

A trace keeps the operators of one call. Branches, loops and sizes that depended on that call's
input are frozen into it without a word, so both are called with other values and other sizes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engine.conversion.differences import TOLERANCE, relative_l2
from engine.conversion.unseen_inputs import cases
from engine.spec import ModelSpec
from engine.steps.base import Context, Samples

INPUTS = 32
Call = Callable[..., Any]


@dataclass
class Fidelity:
    """What the comparison found: `diverged` of `of` inputs, the worst error and one of the inputs.

    `refused` counts those of the diverged inputs that the module takes and the trace does not.
    """

    of: int = 0
    diverged: int = 0
    refused: int = 0
    skipped: int = 0
    worst: float = 0.0
    example: str = ""
    kinds: set[str] = field(default_factory=set)

    def add(self, kind: str, description: str, error: float, tolerance: float, refusal: str = "") -> None:
        """Count one input; `refusal` is what the trace raised on it."""
        self.of += 1
        if error <= tolerance:
            self.worst = max(self.worst, error) if not self.diverged else self.worst
            return
        self.refused += bool(refusal)
        if not self.diverged or error > self.worst:
            self.worst, self.example = error, f"{description}: {refusal}" if refusal else description
        self.diverged += 1
        self.kinds.add(kind)


def examine(
    module: Any, traced: Any, warnings: list[str], context: Context, *, precision: str, data: Samples | None
) -> dict[str, Any]:
    """What a trace's artifact says about its fidelity.

    A module in half precision is judged by its float32 twin, traced alike: what a trace keeps does
    not depend on the precision, and half precision crawls on a CPU.
    """
    from engine.conversion.casting import border_dtype, float32_twin
    from engine.steps.trace import trace

    if border_dtype(module) is not None:
        twin = float32_twin(module)
        example = context.example()
        if not isinstance(outputs(twin, example, context.spec), Exception):
            module, precision = twin, "fp32"
            traced, _ = trace(twin, context.spec, example)
    found = compare(module, traced, context.spec, context, precision=precision, data=data)
    return details(found, warnings, control_flow_counts(module, traced))


def compare(
    module: Call,
    trace: Call,
    spec: ModelSpec,
    context: Context,
    *,
    precision: str = "fp32",
    data: Samples | None = None,
) -> Fidelity:
    """Call both with at least 32 further inputs. Inputs that the module itself refuses don't count."""
    found = Fidelity()
    tolerance = TOLERANCE.get(precision, TOLERANCE["fp32"])
    for kind, description, feeds in cases(spec, context, data):
        if found.of >= INPUTS and kind == "more":
            break
        expected = outputs(module, feeds, spec)
        if isinstance(expected, Exception):
            found.skipped += 1
            if found.skipped > 2 * INPUTS:
                break
            continue
        given = outputs(trace, feeds, spec)
        if isinstance(given, Exception):
            found.add(kind, description, math.inf, tolerance, last_line(given))
        else:
            found.add(kind, description, relative_l2(expected, given), tolerance)
        context.progress(min(0.95, 0.5 + 0.45 * found.of / INPUTS), f"Checking the trace on input {found.of}")
    return found


def last_line(error: Exception) -> str:
    """The last line of a message, where PyTorch puts the point."""
    lines = [each.strip() for each in str(error).splitlines() if each.strip()]
    return (lines[-1] if lines else type(error).__name__)[:200]


def outputs(call: Call, feeds: Mapping[str, Any], spec: ModelSpec) -> list[np.ndarray] | Exception:
    """The outputs as arrays, or what the call raised."""
    import torch

    from engine.torch_bridge import flatten, positional, to_numpy

    try:
        with torch.no_grad():
            return [to_numpy(each) for each in flatten(call(*positional(feeds, spec)))]
    except (RuntimeError, ValueError, TypeError, IndexError, AssertionError, NotImplementedError) as error:
        return error


def control_flow_counts(module: Any, trace: Any) -> dict[str, Any]:
    """Branches and loops of the module's script beside those the trace kept."""
    import torch

    from engine.conversion.casting import without_border
    from engine.conversion.quiet import quiet_jit
    from engine.conversion.scripts import control_flow

    kept = control_flow(trace)
    try:
        with quiet_jit():
            return {"script": control_flow(torch.jit.script(without_border(module))), "trace": kept}
    except Exception as error:  # the script compiler raises whatever it trips over
        return {"script": None, "trace": kept, "not_scripted": str(error).strip().splitlines()[0][:200]}


def details(found: Fidelity, warnings: list[str], counts: dict[str, Any]) -> dict[str, Any]:
    """What the artifact says about its fidelity; `suspect_reason` makes it suspect whatever parity finds."""
    advice = ""
    if found.diverged:
        what = " and ".join(sorted(found.kinds - {"more"} or {"values"}))
        advice = (
            f"Control flow that depends on the input's {what} was recorded, not kept: use script, or mix, "
            "instead of trace."
        )
    facts: dict[str, Any] = {
        "fidelity": {
            "diverged": found.diverged,
            "of": found.of,
            "skipped": found.skipped,
            "worst_relative_l2": found.worst if math.isfinite(found.worst) else None,
            "example": found.example,
            "advice": advice,
            "tracer_warnings": warnings,
            "control_flow": counts,
        }
    }
    if found.diverged:
        facts["suspect_reason"] = (
            f"The trace differs from the model on {found.diverged} of {found.of} further inputs "
            f"(for example {found.example}). {advice}"
        )
    return facts
