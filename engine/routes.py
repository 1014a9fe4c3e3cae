"""Formats are nodes, steps are edges: the cheapest path from an upload to a runtime.

A recipe names what matters; the router fills in the conversions between. Compressions are never
added by the router, and a conversion that a model does not accept is taken only when it is named.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

from engine.errors import MissingDependency, Unsupported
from engine.formats import all_formats
from engine.runtimes import all_runtimes
from engine.runtimes.base import Runtime
from engine.spec import ModelSpec, Recipe, Use, Variant
from engine.steps import all_steps, step_for, steps_named
from engine.steps.base import Step


@dataclass(frozen=True)
class Route:
    """The steps really taken and the formats between them (one more than there are steps)."""

    steps: tuple[Use, ...]
    formats: tuple[str, ...]


@dataclass(frozen=True)
class Refusal:
    """A step that could not be taken, the format it would have given, and why."""

    step: type[Step]
    target: str
    why: Unsupported


def plan(spec: ModelSpec, recipe: Recipe, device: str, *, label: str = "", baseline: bool = False) -> Variant:
    """Find the route of a recipe; a variant without one says why in `unsupported`."""
    try:
        route = find(spec, recipe, device)
    except Unsupported as error:
        return Variant(recipe, label=label, unsupported=error.reason, hint=error.hint, baseline=baseline)
    return Variant(recipe, label=label, route=route.steps, formats=route.formats, baseline=baseline)


def find(spec: ModelSpec, recipe: Recipe, device: str) -> Route:
    """The cheapest route; raises Unsupported naming the missing link."""
    runtime = all_runtimes()[recipe.runtime.name].from_options(recipe.runtime.options)
    missing = runtime.missing()
    if missing:
        raise missing
    reason = runtime.check(spec, device)
    if reason:
        raise Unsupported(f"{reason}.")
    refusals: list[Refusal] = []
    order = itertools.count()
    start = (spec.format, 0)
    queue: list[tuple[float, int, tuple[str, int], tuple[Use, ...], tuple[str, ...]]] = [
        (0.0, next(order), start, (), (spec.format,))
    ]
    done: set[tuple[str, int]] = set()
    furthest = start
    while queue:
        cost, _, node, steps, formats = heapq.heappop(queue)
        if node in done:
            continue
        done.add(node)
        if node[1] > furthest[1]:
            furthest = node
        if node[1] == len(recipe.steps) and node[0] in runtime.formats:
            return Route(settled(steps, formats, recipe.runtime.name), formats)
        for price, use, reached in edges(spec, recipe, device, node, refusals):
            path = (*steps, use) if use else steps
            named = (*formats, reached[0]) if use else formats
            heapq.heappush(queue, (cost + price, next(order), reached, path, named))
    raise no_route(recipe, runtime, furthest, refusals)


def settled(steps: tuple[Use, ...], formats: tuple[str, ...], runtime: str) -> tuple[Use, ...]:
    """The steps with the options that follow from the runtime."""
    taken = [(use, step_for(use.name, format)) for use, format in zip(steps, formats, strict=False)]
    return tuple(
        replace(use, options={**use.options, **step.from_options(use.options).options_for(runtime)}) if step else use
        for use, step in taken
    )


def edges(
    spec: ModelSpec, recipe: Recipe, device: str, node: tuple[str, int], refusals: list[Refusal]
) -> Iterator[tuple[float, Use | None, tuple[str, int]]]:
    """Everything that can be done from one node: the recipe's next item, or a conversion."""
    format, position = node
    wanted = recipe.steps[position] if position < len(recipe.steps) else None
    if wanted and wanted.name == f"@{format}":
        yield 0.0, None, (format, position + 1)
    if wanted and not wanted.name.startswith("@"):
        for each in steps_named(wanted.name):
            if format in each.formats:
                refusal = why_not(each, wanted, spec, device, named=True)
                if refusal:
                    refusals.append(Refusal(each, each.formats[format], refusal))
                else:
                    yield each.cost, wanted, (each.formats[format], position + 1)
    for each in all_steps():
        target = each.formats.get(format)
        if target is None or target == format:
            continue
        use = Use(each.name)
        refusal = why_not(each, use, spec, device, named=False)
        if refusal:
            refusals.append(Refusal(each, target, refusal))
        else:
            yield each.cost, use, (target, position)


def why_not(step: type[Step], use: Use, spec: ModelSpec, device: str, *, named: bool) -> Unsupported | None:
    """The reason why a step can't be taken, or None."""
    missing = step.missing()
    if missing:
        return missing
    title = step.title or step.name
    if device.split(":")[0] not in step.devices:
        return Unsupported(f"{title} needs {'an NVIDIA GPU' if step.devices == ('cuda',) else 'a CPU'}.")
    reason = step.from_options(use.options).check(spec, device)
    if not reason and not named:
        reason = step.accepts(spec)
    return Unsupported(f"{title}: {reason}.") if reason else None


def no_route(recipe: Recipe, runtime: Runtime, furthest: tuple[str, int], refusals: list[Refusal]) -> Unsupported:
    """Say which link is missing, in the words of the step that refused it where there is one."""
    format, position = furthest
    if position < len(recipe.steps):
        wanted = recipe.steps[position].name
        said = next((each.why for each in refusals if each.step.name == wanted), None)
        if said:
            return Unsupported(said.reason, said.hint or f"Leave {wanted} out of the recipe.")
        takes = sorted({each for step in steps_named(wanted) for each in step.formats})
        goals: tuple[str, ...] = (wanted[1:],) if wanted.startswith("@") else tuple(takes)
        takes_them = "A recipe passes through" if wanted.startswith("@") else f"{wanted} takes"
        link = f"{takes_them} {' or '.join(goals)}, and nothing leads there from {format}"
    else:
        goals = runtime.formats
        link = f"{runtime.title or runtime.name} opens {' or '.join(goals)}, and nothing leads there from {format}"
    return link_missing(link, goals, [each for each in refusals if each.step.kind == "conversion"])


def link_missing(link: str, goals: tuple[str, ...], refusals: list[Refusal]) -> Unsupported:
    """The missing link with what would have to be installed for it, else what refused to lead there."""
    near = [each.why for each in refusals if each.target in goals]
    missing = next((each for each in near if isinstance(each, MissingDependency)), None)
    if missing:
        return Unsupported(f"{link}: {missing.reason}", missing.hint)
    said = near or [each.why for each in refusals if not isinstance(each.why, MissingDependency)]
    return Unsupported(f"{link}.", " ".join(list(dict.fromkeys(str(each) for each in said))[:3]))


def describe(variant: Variant) -> str:
    """The route in words: `PyTorch module → Half precision (FP16) → ONNX → TensorRT engine → TensorRT`."""
    if not variant.formats:
        return ""
    source = all_formats().get(variant.formats[0])
    runtime = all_runtimes().get(variant.recipe.runtime.name)
    taken = [
        step.title if (step := step_for(use.name, format)) else use.name
        for use, format in zip(variant.route, variant.formats, strict=False)
    ]
    ends = (source.title if source else variant.formats[0], runtime.title if runtime else variant.recipe.runtime.name)
    return " → ".join(title for title, _ in itertools.groupby([ends[0], *taken, ends[1]]))
