"""torch.export with every dynamic dimension of a model kept dynamic, or none for one batch size."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.errors import StepFailed, Unsupported
from engine.spec import ModelSpec

if TYPE_CHECKING:
    from torch.export import ExportedProgram

BRANCHES = ("data-dependent", "DataDependent", "Could not guard", "dynamic control flow", "traced Tensor")
STATIC_HINT = "Build it for one batch size at a time: put [static] at the end of the recipe."


class BranchesOnData(Unsupported):
    """The model's path depends on its data: a captured or traced graph would keep one path alone."""


@dataclass(frozen=True)
class Exported:
    """A captured program, and the dynamic dimensions that had to be fixed, with their sizes."""

    program: ExportedProgram
    fixed: dict[str, int]


def export_module(module: Any, spec: ModelSpec, feeds: Mapping[str, Any], *, static: bool) -> Exported:
    """Capture a module; the batch stays dynamic unless `static`, other dimensions where the model allows it.

    Raises Unsupported when the model branches on its data, StepFailed for everything else.
    """
    import torch

    from engine.torch_bridge import positional

    inputs = positional(feeds, spec)
    dimensions = [each for tensor in spec.tensor_inputs for each in tensor.dynamic]
    batch = spec.batch_dimension
    others = {each: size_in(feeds, spec, each) for each in dict.fromkeys(dimensions) if each != batch}
    attempts: list[tuple[set[str], dict[str, int]]] = [({*dimensions}, {})]
    if others:
        attempts.append(({batch} if batch else set(), others))
    if static:
        attempts = [(set(), {})]
    problem: Exception | None = None
    for dynamic, fixed in attempts:
        try:
            with torch.no_grad():
                program = torch.export.export(
                    module, inputs, dynamic_shapes=dynamic_shapes(module, spec, dynamic), strict=False
                )
            return Exported(program, fixed)
        except Exception as error:  # torch.export raises a dozen kinds of errors, some of them private
            problem = error
            if branches_on_data(error):
                break
    assert problem is not None
    raise explained(problem, static=static) from problem


def size_in(feeds: Mapping[str, Any], spec: ModelSpec, dimension: str) -> int:
    """The size that a dynamic dimension has in these feeds."""
    for each in spec.tensor_inputs:
        if dimension in each.shape:
            return int(feeds[each.name].shape[each.shape.index(dimension)])
    raise KeyError(dimension)


def dynamic_shapes(module: Any, spec: ModelSpec, dynamic: set[str]) -> Any:
    """What torch.export wants to know: for each input, which of its axes may change."""
    from torch.export import Dim

    if not dynamic:
        return None
    shapes = tuple(
        {axis: Dim.DYNAMIC for axis, size in enumerate(each.shape) if size in dynamic} or None
        if each.constant is None
        else None
        for each in spec.inputs
    )
    parameters = list(inspect.signature(module.forward).parameters.values())
    star = next((i for i, each in enumerate(parameters) if each.kind is inspect.Parameter.VAR_POSITIONAL), None)
    return shapes if star is None else (*shapes[:star], shapes[star:])


def shapes_of_program(program: ExportedProgram) -> Any:
    """The dynamic axes of a program's inputs, in the nesting its module takes them."""
    import torch
    from torch.export import Dim

    names = program.graph_signature.user_inputs
    placeholders = {node.name: node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder"}
    shapes: list[Any] = []
    for name in names:
        value = placeholders.get(name) if isinstance(name, str) else None
        if not isinstance(value, torch.Tensor):
            shapes.append(None)
            continue
        axes = {axis: Dim.DYNAMIC for axis, size in enumerate(value.shape) if isinstance(size, torch.SymInt)}
        shapes.append(axes or None)
    if not any(shapes):
        return None
    parameters = list(inspect.signature(program.module().forward).parameters.values())
    star = next((i for i, each in enumerate(parameters) if each.kind is inspect.Parameter.VAR_POSITIONAL), None)
    return tuple(shapes) if star is None else (*shapes[:star], tuple(shapes[star:]))


def branches_on_data(error: Exception) -> bool:
    """Whether capturing failed because the model's path depends on its data."""
    text = f"{type(error).__name__} {error}"
    return any(each in text for each in BRANCHES)


def explained(error: Exception, *, static: bool) -> StepFailed | Unsupported:
    """torch.export's error as one sentence and a next step."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    first = (lines[0] if lines else type(error).__name__)[:300]
    if branches_on_data(error):
        return BranchesOnData(
            f"The model branches or loops on its data, which torch.export can't capture: {first}",
            "Use script, which keeps branches, or rewrite them with torch.cond.",
        )
    suggested = next(
        (line for line in lines if "is not always" in line or "specialized" in line or "Suggested" in line), ""
    )
    return StepFailed(
        f"torch.export can't capture the model: {first}{' ' + suggested[:200] if suggested else ''}",
        "Use trace, or script." if static else STATIC_HINT,
    )
