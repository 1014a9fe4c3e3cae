"""Which builds go side by side on a device: a pure function of what is built, being built and still wanted."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from engine.measure.cores import threads_for
from engine.plugin import Plugin
from engine.runtimes import all_runtimes
from engine.schedule.plan import wanted
from engine.spec import Use
from engine.steps import step_for
from engine.store.phases import Wanted
from engine.store.rows import ComparisonState, VariantRow

CORES_A_BUILD, MOST_SIDE_BY_SIDE = 4, 8
OF_ONE_BATCH = {"examples", "batch"}
"""What a step reads that another batch size changes."""


def builds_to_start(state: ComparisonState, behind: Mapping[str, int]) -> list[Wanted]:
    """The builds that can start now, beside those that run.

    Builds have a quarter of the cores each, because exporters and compilers use several threads, and
    there are few, because they share the device's memory. Nothing runs beside one that times kernels.
    Those that have something of their own to do go first, before those whose next step another one
    is carrying out and that would only wait for it, with their libraries imported. `behind` says by
    phase how many steps of its route a running build has behind it.
    """
    rows = {each.id: each for each in state.variants}
    running = [each for each in state.phases if each.kind == "build" and each.state == "running"]
    under_way = [(rows[str(each.variant_id)], each.batch_sizes[0], behind.get(each.id, 0)) for each in running]
    if any(times_kernels(row) for row, _, _ in under_way):
        return []
    taken = {each.key for each in running}
    missing = [each for each in builds_missing(state) if each.key not in taken]
    free: list[Wanted] = []
    waiting: list[Wanted] = []
    for each in missing:
        row, size = rows[str(each.variant_id)], each.batch_sizes[0]
        if times_kernels(row):
            continue
        if any(waits(row, size, *other) for other in under_way):
            waiting.append(each)
        else:
            free.append(each)
            under_way.append((row, size, 0))
    if not under_way:
        return missing[:1]
    places = max(1, min(threads_for(0) // CORES_A_BUILD, MOST_SIDE_BY_SIDE)) - len(running)
    return [*free, *waiting][: max(0, places)]


def builds_missing(state: ComparisonState) -> list[Wanted]:
    """The builds still to be done, in order; none before what all variants share is there."""
    return list(itertools.takewhile(lambda each: each.kind == "build", wanted(state)))


def waits(row: VariantRow, size: int, other: VariantRow, its_size: int, behind: int) -> bool:
    """Whether a build would wait for one under way: for a step that both need, or for their compiler's cache."""
    shared = shared_steps(row, size, other, its_size)
    if shared > behind:
        return True
    runtime = all_runtimes().get(row.variant.recipe.runtime.name)
    if runtime is None or not runtime.compiles or runtime.compiles_apart:
        return False
    same_artifact = shared == len(row.variant.route) == len(other.variant.route)
    return same_artifact and row.variant.recipe.runtime == other.variant.recipe.runtime


def shared_steps(one: VariantRow, one_size: int, other: VariantRow, other_size: int) -> int:
    """How many steps two routes begin with that give the same artifact."""
    same_batch = batch_of(one, one_size) == batch_of(other, other_size)
    count = 0
    for use, format, another, its_format in zip(
        one.variant.route, one.variant.formats, other.variant.route, other.variant.formats, strict=False
    ):
        step = step_for(use.name, format)
        if (use, format) != (another, its_format) or step is None:
            break
        if not same_batch and OF_ONE_BATCH & set(step.uses):
            break
        count += 1
    return count


def batch_of(row: VariantRow, size: int) -> int | None:
    """The one batch size that a build's steps are given, or None."""
    return size if row.variant.recipe.static else None


def times_kernels(row: VariantRow) -> bool:
    """Whether building a variant measures on the device, so that nothing may run beside it."""
    variant = row.variant
    steps = [(step_for(use.name, format), use) for use, format in zip(variant.route, variant.formats, strict=False)]
    runtime = all_runtimes().get(variant.recipe.runtime.name)
    used: list[tuple[type[Plugin] | None, Use]] = [*steps, (runtime, variant.recipe.runtime)]
    return any(plugin is not None and plugin.from_options(use.options).times_kernels() for plugin, use in used)
