"""Trace fidelity: does a trace still do what the module does, on inputs it was not recorded with?

A trace keeps the operators of one call. Branches, loops and sizes that depended on that call's
input are frozen into it without a word, so both are called with other values and other sizes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engine.conversion.differences import TOLERANCE, relative_l2
from engine.spec import ModelSpec, TensorSpec
from engine.steps.base import Context, Samples

INPUTS = 32
SCALES = (10.0, 0.1, -1.0, 0.0)
OTHER_SIZES = (1, 3, 5)
DATA_CASES = 8
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


def cases(spec: ModelSpec, context: Context, data: Samples | None) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Inputs the trace has not seen, as (kind, description, feeds); `more` random ones without end last."""
    yield from data_cases(data)
    example = context.example(seed=1)
    for scale in SCALES:
        yield "values", f"values × {scale:g}", changed(spec, example, lambda each, s=scale: each * s)  # type: ignore[misc]
    yield "values", "largest allowed values", edge(spec, example, "high")
    yield "values", "smallest allowed values", edge(spec, example, "low")
    yield (
        "values",
        "values in ascending order",
        changed(spec, example, lambda each: np.sort(each, axis=None).reshape(each.shape)),
    )
    if context.static_batch is None:
        yield from size_cases(spec, context)
    for seed in range(2, 10_000):
        yield ("values" if seed < 12 else "more"), f"other random values (seed {seed})", context.example(seed=seed)


def data_cases(data: Samples | None) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Pairs of samples of the user's data set."""
    if data is None:
        return
    for start in range(0, min(2 * DATA_CASES, len(data) - 1), 2):
        yield (
            "values",
            f"samples {start} and {start + 1} of {data.name}",
            {name: array[start : start + 2] for name, array in data.feeds.items()},
        )


def size_cases(spec: ModelSpec, context: Context) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Other sizes of each dynamic dimension, one dimension at a time."""
    batch = spec.batch_dimension
    names = list(dict.fromkeys(name for each in spec.tensor_inputs for name in each.dynamic))
    for name in names:
        usual = 2 if name == batch else spec.sizes.get(name, 2)
        for size in dict.fromkeys((*OTHER_SIZES, usual + 1, max(1, usual // 2), usual * 2)):
            if size == usual:
                continue
            feeds = context.example(size, sizes={}) if name == batch else context.example(sizes={name: size})
            yield "sizes", f"{name} = {size}", feeds


def changed(spec: ModelSpec, feeds: Mapping[str, Any], change: Callable[[np.ndarray], np.ndarray]) -> dict[str, Any]:
    """The feeds with every floating input changed and kept within its bounds."""
    floating = {each.name: each for each in spec.tensor_inputs if each.dtype.startswith(("float", "bfloat"))}
    return {
        name: bounded(change(value).astype(value.dtype), floating[name]) if name in floating else value
        for name, value in feeds.items()
    }


def bounded(value: np.ndarray, tensor: TensorSpec) -> np.ndarray:
    """The values within the bounds of an input that has any."""
    return np.clip(value, tensor.low, tensor.high) if tensor.low is not None and tensor.high is not None else value


def edge(spec: ModelSpec, feeds: Mapping[str, Any], side: str) -> dict[str, Any]:
    """The feeds with every input at one end of its range; floats without bounds at ±3."""
    found = dict(feeds)
    for each in spec.tensor_inputs:
        value = feeds[each.name]
        if each.dtype == "bool":
            limit: float = side == "high"
        elif each.dtype.startswith(("int", "uint")):
            low = int(each.low or 0)
            limit = low if side == "low" else int(each.high if each.high is not None else low + 2) - 1
        else:
            known = each.low if side == "low" else each.high
            limit = known if known is not None else (-3.0 if side == "low" else 3.0)
        found[each.name] = np.full_like(value, limit)
    return found


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
