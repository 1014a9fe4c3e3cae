"""How far a comparison is, and how long the rest will take from what phases took so far."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from engine.document import ComparisonDocument, VariantDocument
from engine.recipes import render
from engine.schedule.plan import wanted
from engine.spec import Status
from engine.store.phases import Wanted
from engine.store.rows import ComparisonState, PhaseRow, VariantProgress, VariantRow
from engine.summary.command import reproduce
from engine.summary.results import gather, verdict
from engine.worker.protocol import LOG

if TYPE_CHECKING:
    from engine.store.store import Store

WORST: tuple[Status, ...] = ("crashed", "oom", "timeout", "failed", "cancelled", "unsupported", "suspect")


def progress(store: Store, id: str, imported: ComparisonDocument | None) -> list[VariantProgress]:
    """One line for each variant of a comparison."""
    if imported is not None:
        return [finished_elsewhere(each) for each in imported.variants]
    state = store.state(id)
    left = list(wanted(state))
    costs = Costs(state.phases)
    verdicts = {each.row.id: [verdict(each, size) for size in sizes(state)] for each in gather(state, store.marks(id))}
    return [line(state, row, left, costs, verdicts[row.id]) for row in state.variants]


def sizes(state: ComparisonState) -> tuple[int, ...]:
    """The batch sizes of the comparison."""
    return state.comparison.workload.batch_sizes


@dataclass(frozen=True)
class Costs:
    """What phases of this comparison took; nothing is guessed that was never measured."""

    phases: tuple[PhaseRow, ...]

    def seconds(self, phase: Wanted) -> float | None:
        """The likely duration: like the same variant's phases of this kind, else like all of this kind."""
        done = [each for each in self.phases if each.kind == phase.kind and each.state == "done" and each.seconds > 0]
        same = [each for each in done if each.variant_id == phase.variant_id]
        chosen = [each.seconds / max(1, len(each.batch_sizes)) for each in same or done]
        return median(chosen) * max(1, len(phase.batch_sizes)) if chosen else None

    def until(self, left: Iterable[Wanted], variant_id: str) -> float | None:
        """Seconds until the last phase of a variant is over, with everything that comes before it.

        None while there is a kind of phase among them that was never measured.
        """
        total: float | None = 0.0
        last = None
        for each in left:
            seconds = self.seconds(each)
            total = None if total is None or seconds is None else total + seconds
            if each.variant_id == variant_id:
                last = total
        return last


def line(
    state: ComparisonState,
    row: VariantRow,
    left: list[Wanted],
    costs: Costs,
    verdicts: list[tuple[Status, str, str]],
) -> VariantProgress:
    """The progress of one variant."""
    mine = [each for each in state.phases if each.variant_id == row.id]
    running = next((each for each in mine if each.state == "running"), None)
    shared = next((each for each in state.phases if each.variant_id is None and each.state == "running"), None)
    todo = sum(each.variant_id == row.id for each in left)
    done = sum(each.state == "done" for each in mine)
    status, reason, hint = overall(verdicts, running is not None, todo > 0 and state.comparison.active)
    current = running or (shared if todo else None)
    fraction = 1.0 if not todo else (done + (running.fraction or 0.0 if running else 0.0)) / (done + todo)
    latest = running or (mine[-1] if mine else None)
    return VariantProgress(
        variant_id=row.id,
        label=row.variant.label or render(row.variant.recipe),
        recipe=render(row.variant.recipe),
        baseline=row.variant.baseline,
        stage=current.kind if current else ("done" if status not in ("queued", "running") else "waiting"),
        fraction=min(1.0, fraction),
        text=current.text if current else "",
        status=status,
        reason=reason,
        hint=hint,
        started=mine[0].started if mine else None,
        elapsed_s=sum(each.seconds for each in mine) + (time.time() - running.started if running else 0.0),
        remaining_s=remaining(costs, left, row, running) if todo and status in ("queued", "running") else None,
        log=latest.folder / LOG if latest else None,
        reproduce=(latest.command if latest else "") or reproduce(state.comparison, render(row.variant.recipe)),
        failing_step=failing(state, row, mine),
    )


def failing(state: ComparisonState, row: VariantRow, phases: list[PhaseRow]) -> str:
    """The step of the route that could not be carried out, else the phase that ended badly, or nothing."""
    steps = (each.failing_step for (id, _), each in state.builds.items() if id == row.id)
    ended = (each.kind for each in phases if each.state == "done" and each.status not in ("ok", "suspect", "cancelled"))
    return next(filter(None, steps), "") or next(ended, "")


def remaining(costs: Costs, left: list[Wanted], row: VariantRow, running: PhaseRow | None) -> float | None:
    """Seconds until this variant is through, less what its running phase has done already."""
    seconds = costs.until(left, row.id)
    if seconds is None or running is None:
        return seconds
    return max(0.0, seconds - (time.time() - running.started))


def overall(verdicts: list[tuple[Status, str, str]], running: bool, todo: bool) -> tuple[Status, str, str]:
    """One status for all batch sizes: what is going on, else the worst that happened."""
    bad = next((each for name in WORST for each in verdicts if each[0] == name), None)
    if running:
        return "running", *(bad[1:] if bad else ("", ""))
    if todo:
        return "queued", *(bad[1:] if bad else ("", ""))
    return bad or verdicts[0]


def finished_elsewhere(variant: VariantDocument) -> VariantProgress:
    """The line of a variant that was measured on another machine."""
    verdicts = [(each.status, each.reason, each.hint) for each in variant.results]
    status, reason, hint = overall(verdicts, False, False) if verdicts else ("unsupported", "", "")
    return VariantProgress(
        variant_id=variant.id,
        label=variant.label,
        recipe=variant.recipe,
        baseline=variant.baseline,
        stage="done",
        fraction=1.0,
        text="",
        status=status,  # type: ignore[arg-type]
        reason=reason,
        hint=hint,
        reproduce=variant.reproduce,
    )
