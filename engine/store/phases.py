"""Phases: claimed by a lease, kept alive, finished once, or queued again."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from engine.spec import Status
from engine.store import schema
from engine.store.comparisons import touch
from engine.store.models import new_id
from engine.store.phase_rows import phase_row
from engine.store.rows import Kind, PhaseRow

LEASE_S = 30.0
MOST_ATTEMPTS = 3


@dataclass(frozen=True)
class Wanted:
    """A phase that has to be carried out next. The key is unique within its comparison."""

    kind: Kind
    variant_id: str | None = None
    batch_sizes: tuple[int, ...] = ()
    round: int = 0
    slot: int = 0
    position: int = 0

    @property
    def key(self) -> str:
        sizes = ",".join(map(str, self.batch_sizes))
        return f"{self.kind}:{self.variant_id or ''}:{sizes}:{self.round}:{self.slot}"


def claim(session: Session, comparison_id: str, wanted: Wanted, owner: str, device: str, jobs: Path) -> PhaseRow | None:
    """Take a phase for `owner`, or None when somebody else has it or it is done.

    A phase that was interrupted keeps its row and counts its attempts.
    """
    now = time.time()
    found = session.scalar(
        select(schema.Phase).where(schema.Phase.comparison_id == comparison_id, schema.Phase.key == wanted.key)
    )
    if found is not None:
        taken = session.execute(
            update(schema.Phase)
            .where(schema.Phase.id == found.id, schema.Phase.state == "queued")
            .values(
                state="running",
                status="running",
                lease_owner=owner,
                lease_until=now + LEASE_S,
                attempts=schema.Phase.attempts + 1,
                started=now,
                folder=str(jobs / f"{found.id}-{found.attempts + 1}"),
                fraction=None,
                text="",
            )
            .execution_options(synchronize_session=False)
        )
        if taken.rowcount != 1:  # type: ignore[attr-defined]
            return None
        session.expire(found)
        touch(session, comparison_id)
        return phase_row(found)
    row = new_phase(comparison_id, wanted, owner, device, jobs, now)
    session.add(row)
    try:
        session.flush()
    except IntegrityError:
        session.rollback()
        return None
    touch(session, comparison_id)
    return phase_row(row)


def new_phase(comparison_id: str, wanted: Wanted, owner: str, device: str, jobs: Path, now: float) -> schema.Phase:
    """A phase that nobody had claimed before."""
    id = new_id()
    return schema.Phase(
        id=id,
        comparison_id=comparison_id,
        variant_id=wanted.variant_id,
        key=wanted.key,
        kind=wanted.kind,
        batch_sizes=list(wanted.batch_sizes),
        round=wanted.round,
        slot=wanted.slot,
        device=device,
        state="running",
        status="running",
        reason="",
        hint="",
        lease_owner=owner,
        lease_until=now + LEASE_S,
        attempts=1,
        folder=str(jobs / id),
        command="",
        text="",
        started=now,
        seconds=0.0,
        startup_s=0.0,
        waited_s=0.0,
        value={},
    )


def renew(session: Session, owner: str, ids: tuple[str, ...]) -> None:
    """Push the end of the leases that one owner holds on these phases further away."""
    session.execute(
        update(schema.Phase)
        .where(schema.Phase.lease_owner == owner, schema.Phase.state == "running", schema.Phase.id.in_(ids))
        .values(lease_until=time.time() + LEASE_S)
    )


def waited(session: Session, id: str, seconds: float) -> None:
    """Keep how long a phase waited for its device."""
    session.execute(update(schema.Phase).where(schema.Phase.id == id).values(waited_s=seconds))


def note(session: Session, id: str, fraction: float | None, text: str) -> None:
    """Keep how far a running phase is."""
    session.execute(update(schema.Phase).where(schema.Phase.id == id).values(fraction=fraction, text=text[:300]))


def finish(
    session: Session,
    phase: PhaseRow,
    *,
    status: Status,
    reason: str,
    hint: str,
    seconds: float,
    startup_s: float,
    command: str,
    value: dict[str, Any],
) -> bool:
    """Mark a phase as done; False when its lease was lost to somebody else in the meantime."""
    done = session.execute(
        update(schema.Phase)
        .where(
            schema.Phase.id == phase.id, schema.Phase.state == "running", schema.Phase.lease_owner == phase.lease_owner
        )
        .values(
            state="done",
            status=status,
            reason=reason,
            hint=hint,
            seconds=seconds,
            startup_s=startup_s,
            command=command,
            value=value,
            finished=time.time(),
            fraction=1.0,
        )
    )
    touch(session, phase.comparison_id)
    return bool(done.rowcount == 1)  # type: ignore[attr-defined]


def requeue(session: Session, phase: PhaseRow) -> bool:
    """Queue an interrupted phase again; False when somebody else did so already."""
    done = session.execute(
        update(schema.Phase)
        .where(
            schema.Phase.id == phase.id, schema.Phase.state == "running", schema.Phase.lease_owner == phase.lease_owner
        )
        .values(state="queued", status="queued", lease_owner="", lease_until=0.0, fraction=None, text="")
    )
    touch(session, phase.comparison_id)
    return bool(done.rowcount == 1)  # type: ignore[attr-defined]
