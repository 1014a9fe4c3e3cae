"""From what was measured to the comparison document: pure arithmetic over the store's rows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from engine.document import MEASURE_PART, SCHEMA, ComparisonDocument, VariantDocument
from engine.recipes import render, render_use
from engine.routes import describe
from engine.runtimes import all_runtimes
from engine.store.rows import ComparisonRow, MeasurementRow, PhaseRow, iso
from engine.summary.command import reproduce
from engine.summary.results import Evidence, gather, results_of
from engine.summary.speedups import with_diagnosis, with_speedups

if TYPE_CHECKING:
    from engine.store.store import Store


def summarise(store: Store, id: str) -> ComparisonDocument:
    """The document of a comparison measured here, with whatever is finished so far."""
    state = store.state(id)
    comparison = state.comparison
    measurements = store.measurements(id)
    evidence = gather(state, measurements)
    profiles = {each.variant_id: each.value for each in store.profiles(id)}
    variants = tuple(variant_document(each, comparison, profiles.get(each.row.id, {})) for each in evidence)
    surroundings = environment(evidence, comparison)
    return ComparisonDocument(
        schema=SCHEMA,
        name=comparison.name,
        model=comparison.spec,
        workload=comparison.workload,
        environment=surroundings,
        variants=with_diagnosis(with_speedups(variants, evidence, comparison), surroundings),
        created=iso(comparison.created),
        finished=iso(comparison.finished),
        command=comparison.command,
        origin=comparison.origin,
        dataset=comparison.dataset,
        reference=next((each.value for each in state.phases if each.kind == "reference"), {}),
        orchestration=orchestration(comparison, state.phases, measurements),
    )


def variant_document(evidence: Evidence, comparison: ComparisonRow, profile: dict[str, Any]) -> VariantDocument:
    """One variant and its results, without what depends on other variants."""
    variant = evidence.row.variant
    runtime = all_runtimes().get(variant.recipe.runtime.name)
    recipe = render(variant.recipe)
    steps = next((each.steps for each in evidence.builds.values()), ())
    return VariantDocument(
        id=evidence.row.id,
        recipe=recipe,
        label=variant.label or recipe,
        route=tuple(render_use(each) for each in variant.route),
        route_text=describe(variant) if variant.formats else "",
        runtime=variant.recipe.runtime.name,
        family=runtime.family if runtime else "",
        precision=evidence.precision(comparison.workload.device),
        baseline=variant.baseline,
        static=variant.recipe.static,
        results=results_of(evidence, comparison),
        steps=tuple(dict(each) for each in steps),
        profile=profile,
        reproduce=reproduce(comparison, recipe),
    )


def environment(evidence: list[Evidence], comparison: ComparisonRow) -> dict[str, Any]:
    """What the runs were made on: the first run's account, and the host."""
    for each in evidence:
        for row in each.measurements:
            if row.measurement.environment:
                return {**row.measurement.environment, "host": comparison.host}
    return {"host": comparison.host}


def orchestration(
    comparison: ComparisonRow, phases: Sequence[PhaseRow], measurements: Sequence[MeasurementRow]
) -> dict[str, float]:
    """Where the time went, in seconds: workers, waiting for other comparisons, and what is left between them.

    Builds and the start of measuring workers go side by side: `workers_s` adds up what all workers
    took without waiting for their turn, `working_s` is the time in which at least one was at work.
    Phases are added up by kind (`measure_s`), and the parts of measuring by name (`measure: opening`).
    """
    if comparison.started is None:
        return {}
    done = [each for each in phases if each.finished is not None and each.started >= comparison.started]
    wall = (comparison.finished or time.time()) - comparison.started
    spans = [(each.started, each.started + each.startup_s) for each in done]
    spans += [(each.finished - each.seconds, each.finished) for each in done if each.finished is not None]
    working = covered(spans)
    waited = sum(each.waited_s for each in done)
    by_kind = {f"{each.kind}_s": 0.0 for each in done}
    for each in done:
        by_kind[f"{each.kind}_s"] += each.seconds
    for row in measurements:
        for part, seconds in row.measurement.spent_s.items():
            name = f"{MEASURE_PART}{part}"
            by_kind[name] = by_kind.get(name, 0.0) + seconds
    return {
        "wall_s": wall,
        "workers_s": sum(each.seconds for each in done),
        "working_s": working,
        "startup_s": sum(each.startup_s for each in done),
        "waited_s": waited,
        "overhead_s": max(0.0, wall - working - waited),
        **by_kind,
    }


def covered(spans: list[tuple[float, float]]) -> float:
    """The length of what spans of time cover together."""
    total, end = 0.0, 0.0
    for first, last in sorted(spans):
        total += max(0.0, last - max(first, end))
        end = max(end, last)
    return total
