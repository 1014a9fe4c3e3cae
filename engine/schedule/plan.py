"""What a comparison still needs, in order: a pure function of what is known about it.

Data set, reference, builds; then rounds in which the variants take turns, each in fresh processes,
the baseline first and last; profiles at the end. A variant's first round has one process for each
batch size, so that load and first call are those of a deployment; later rounds measure all batch
sizes in one process, unless the runtime compiles for each. Everything is yielded as if what comes
before succeeds; after every outcome the plan is made anew, which is how a batch size that killed
its process leaves the others to the next one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import psutil

from engine.measure.cores import threads_for
from engine.runtimes import all_runtimes
from engine.spec import Status
from engine.store.phases import Wanted
from engine.store.rows import DYNAMIC, ComparisonState, PhaseRow, VariantRow

GOOD: tuple[Status, ...] = ("ok", "suspect")
OPENING, CLOSING = 0, 1
TAKING_TURNS = ("measure", "profile")
MOST_WAITING = 16
WAITING_BYTES = 2**30
PROFILED_PRESETS = ("full", "recorded")


def wanted(state: ComparisonState) -> Iterator[Wanted]:
    """Everything still to be done, in order; nothing when the comparison is finished."""
    live = [each for each in state.variants if not each.cancelled and not each.variant.unsupported]
    if not live:
        return
    for kind in ("prepare", "reference"):
        if kind == "prepare" and not state.comparison.workload.dataset:
            continue
        done = shared(state, kind)
        if done is None:
            yield Wanted(kind)  # type: ignore[arg-type]
        elif done.status != "ok":
            return
    for each in live:
        for size in build_sizes(state, each):
            if (each.id, size) not in state.builds:
                yield Wanted("build", each.id, (size,))
    yield from rounds(state, live)
    yield from profiles(state, live)


def alongside(first: Wanted, rest: Iterator[Wanted]) -> list[Wanted]:
    """The measurements that start together with `first`.

    They get a worker a core, import their libraries side by side and then take turns, one at a time.
    """
    if first.kind not in TAKING_TURNS:
        return []
    same = itertools.takewhile(lambda each: each.kind == first.kind, rest)
    return list(itertools.islice(same, waiting_at_most() - 1))


def waiting_at_most() -> int:
    """How many workers may start together: one a core, as far as the host's memory holds their libraries."""
    room = psutil.virtual_memory().available // WAITING_BYTES
    return max(1, min(threads_for(0), MOST_WAITING, int(room)))


def shared(state: ComparisonState, kind: str) -> PhaseRow | None:
    """A finished phase that all variants share, or None."""
    return next((each for each in state.phases if each.kind == kind and each.state == "done"), None)


def build_sizes(state: ComparisonState, row: VariantRow) -> tuple[int, ...]:
    """The batch sizes that a variant is built for: all of them, or one dynamic build."""
    if row.variant.recipe.static or compiles(row):
        return state.comparison.workload.batch_sizes
    return (DYNAMIC,)


def compiles(row: VariantRow) -> bool:
    """Whether the variant's runtime compiles for each batch size; one that is gone fails in its worker."""
    runtime = all_runtimes().get(row.variant.recipe.runtime.name)
    return runtime is not None and runtime.compiles


def rounds(state: ComparisonState, live: list[VariantRow]) -> Iterator[Wanted]:
    """The measurements still missing, round by round."""
    baseline = next((each for each in live if each.variant.baseline), None)
    others = [each for each in live if each is not baseline]
    count = state.comparison.workload.rounds
    for number in sorted({each.first_round + turn for each in live for turn in range(count)}):
        taking = [each for each in others if each.first_round <= number < each.first_round + count]
        turns = [(each, OPENING) for each in taking]
        if baseline is not None:
            turns.insert(0, (baseline, OPENING))
            if taking:
                turns.append((baseline, CLOSING))
        for position, (each, slot) in enumerate(turns):
            yield from measures(state, each, number, slot, position)


def measures(state: ComparisonState, row: VariantRow, number: int, slot: int, position: int) -> Iterator[Wanted]:
    """The processes that one turn of a variant still needs."""
    sizes = tuple(
        size
        for size in state.comparison.workload.batch_sizes
        if can_run(state, row, size) and (row.id, number, slot, size) not in state.measured
    )
    if not sizes:
        return
    apart = compiles(row) or (number == row.first_round and slot == OPENING)
    for group in [(each,) for each in sizes] if apart else [sizes]:
        yield Wanted("measure", row.id, group, number, slot, position)


def can_run(state: ComparisonState, row: VariantRow, size: int) -> bool:
    """Whether nothing that is known speaks against measuring a variant at a batch size."""
    built = state.builds.get((row.id, size)) or state.builds.get((row.id, DYNAMIC))
    if built is not None and built.status != "ok":
        return False
    return not any(
        status not in GOOD
        for (variant, _, _, measured), status in state.measured.items()
        if variant == row.id and measured == size
    )


def profiles(state: ComparisonState, live: list[VariantRow]) -> Iterator[Wanted]:
    """One profile for each variant that was asked for, at its first batch size that ran."""
    every = state.comparison.workload.preset in PROFILED_PRESETS
    seen = {each.variant_id for each in state.phases if each.kind == "profile" and each.state == "done"}
    for row in live:
        if row.id in seen or not (every or row.profile):
            continue
        size = next((each for each in state.comparison.workload.batch_sizes if can_run(state, row, each)), None)
        if size is not None:
            yield Wanted("profile", row.id, (size,))
