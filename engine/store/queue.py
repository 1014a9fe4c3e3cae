"""The scheduler's side of the store: claim work, keep its lease, take in what it gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from engine.measurement import BuildResult, Measurement
from engine.store import comparisons, phase_rows, phases, results, schema
from engine.store.phases import Wanted
from engine.store.rows import PhaseRow, VariantRow
from engine.store.store import Store
from engine.worker.protocol import Outcome


@dataclass(frozen=True)
class Taken:
    """What one phase gave, ready to be kept."""

    outcome: Outcome
    builds: Mapping[int, BuildResult] = field(default_factory=dict)
    measurements: Sequence[Measurement] = ()
    profile: dict[str, Any] | None = None


class Queue:
    """Work of one host, claimed by one owner (`host:pid:token`)."""

    def __init__(self, store: Store, host: str, owner: str) -> None:
        self.store = store
        self.host = host
        self.owner = owner
        self.in_hand: set[str] = set()

    def active(self) -> list[tuple[str, str]]:
        """Comparisons of this host with work to do and their devices, the oldest first."""
        chosen = (
            select(schema.Comparison.id, schema.Comparison.workload)
            .where(schema.Comparison.state.in_(("queued", "running")), schema.Comparison.host == self.host)
            .order_by(schema.Comparison.created)
        )
        with self.store.readers() as session:
            return [(id, str(workload["device"])) for id, workload in session.execute(chosen)]

    def claim(self, comparison_id: str, wanted: Wanted, device: str, jobs: Path) -> PhaseRow | None:
        """Take a phase, or None when somebody else has it or it is done."""
        with self.store.write() as session:
            phase = phases.claim(session, comparison_id, wanted, self.owner, device, jobs)
        if phase is not None:
            self.in_hand.add(phase.id)
        return phase

    def let_go(self, phase: PhaseRow) -> None:
        """Stop renewing a phase's lease: it is done, or could not even be marked as done."""
        self.in_hand.discard(phase.id)

    def renew(self) -> None:
        """Keep the leases of everything this owner runs."""
        with self.store.write() as session:
            phases.renew(session, self.owner, tuple(self.in_hand))

    def note(self, phase: PhaseRow, fraction: float | None, text: str) -> None:
        """Keep how far a running phase is."""
        with self.store.write() as session:
            phases.note(session, phase.id, fraction, text)

    def waited(self, phase: PhaseRow, seconds: float) -> None:
        """Keep how long a phase waited for its device."""
        with self.store.write() as session:
            phases.waited(session, phase.id, seconds)

    def finish(self, phase: PhaseRow, taken: Taken) -> bool:
        """Keep everything a phase gave, at once; False and nothing kept when its lease was lost."""
        outcome = taken.outcome
        with self.store.write() as session:
            kept = phases.finish(
                session,
                phase,
                status=outcome.status,
                reason=outcome.reason,
                hint=outcome.hint,
                seconds=outcome.seconds,
                startup_s=outcome.startup_s,
                command=outcome.command,
                value=outcome.value if phase.kind in ("prepare", "reference") else {},
            )
            if kept:
                for size, result in taken.builds.items():
                    results.add_build(session, phase, size, result)
                for each in taken.measurements:
                    results.add_measurement(session, phase, each)
                if taken.profile is not None:
                    results.add_profile(session, phase, phase.batch_sizes[0], taken.profile)
        return kept

    def requeue(self, phase: PhaseRow) -> bool:
        """Queue an interrupted phase again."""
        with self.store.write() as session:
            return phases.requeue(session, phase)

    def abandoned(self) -> list[PhaseRow]:
        """Phases of this host that are marked as running and that this owner has not in hand."""
        with self.store.readers() as session:
            found = phase_rows.running(session, self.host)
        return [each for each in found if each.lease_owner != self.owner or each.id not in self.in_hand]

    def cancelled(self, comparison_id: str, variant_id: str | None) -> bool:
        """Whether the user cancelled this variant; a shared phase is cancelled with all variants."""
        chosen = select(schema.Variant.id).where(
            schema.Variant.comparison_id == comparison_id, schema.Variant.cancelled.is_(False)
        )
        if variant_id is not None:
            chosen = chosen.where(schema.Variant.id == variant_id)
        with self.store.readers() as session:
            return session.scalars(chosen).first() is None

    def set_state(self, comparison_id: str, state: str) -> None:
        """Move a comparison to another state."""
        with self.store.write() as session:
            comparisons.set_state(session, comparison_id, state)

    def set_dataset(self, comparison_id: str, facts: dict[str, Any]) -> None:
        """Keep what the prepare phase found out about the data set."""
        with self.store.write() as session:
            row = comparisons.find(session, comparison_id)
            row.dataset = {**row.dataset, **facts}
            comparisons.touch(session, comparison_id)

    def profile_done(self, variant: VariantRow) -> None:
        """Note that a requested profile was made."""
        with self.store.write() as session:
            session.execute(update(schema.Variant).where(schema.Variant.id == variant.id).values(profile=False))
