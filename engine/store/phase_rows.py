"""Phases as they are read."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.store import schema
from engine.store.comparisons import find
from engine.store.rows import PhaseRow


def running(session: Session, host: str) -> list[PhaseRow]:
    """Phases of one host's comparisons that are marked as running."""
    rows = session.scalars(
        select(schema.Phase)
        .join(schema.Comparison)
        .where(schema.Phase.state == "running", schema.Comparison.host == host)
    )
    return [phase_row(each) for each in rows]


def of(session: Session, comparison_id: str) -> list[PhaseRow]:
    """The phases of a comparison in the order they were first claimed."""
    find(session, comparison_id)
    rows = session.scalars(
        select(schema.Phase).where(schema.Phase.comparison_id == comparison_id).order_by(schema.Phase.started)
    )
    return [phase_row(each) for each in rows]


def phase_row(row: schema.Phase) -> PhaseRow:
    """The frozen form of a phase's row."""
    return PhaseRow(
        id=row.id,
        comparison_id=row.comparison_id,
        variant_id=row.variant_id,
        key=row.key,
        kind=row.kind,  # type: ignore[arg-type]
        batch_sizes=tuple(row.batch_sizes),
        round=row.round,
        slot=row.slot,
        device=row.device,
        state=row.state,  # type: ignore[arg-type]
        status=row.status,  # type: ignore[arg-type]
        reason=row.reason,
        hint=row.hint,
        lease_owner=row.lease_owner,
        lease_until=row.lease_until,
        attempts=row.attempts,
        folder=Path(row.folder),
        command=row.command,
        fraction=row.fraction,
        text=row.text,
        started=row.started,
        finished=row.finished,
        seconds=row.seconds,
        startup_s=row.startup_s,
        waited_s=row.waited_s,
        value=dict(row.value),
    )
