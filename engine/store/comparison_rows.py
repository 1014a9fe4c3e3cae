"""Comparisons and their variants as they are read."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine.spec import ModelSpec, Variant, Workload, from_json
from engine.store import schema
from engine.store.rows import ComparisonRow, VariantRow


def comparison_row(session: Session, row: schema.Comparison) -> ComparisonRow:
    """The frozen form of a comparison's row."""
    count = session.scalar(select(func.count()).where(schema.Variant.comparison_id == row.id)) or 0
    return ComparisonRow(
        id=row.id,
        name=row.name,
        model_id=row.model_id,
        spec=from_json(ModelSpec, row.spec),
        workload=from_json(Workload, row.workload),
        state=row.state,  # type: ignore[arg-type]
        origin=row.origin,
        host=row.host,
        created=row.created,
        started=row.started,
        finished=row.finished,
        revision=row.revision,
        variants=count,
        command=row.command,
        model_folder=Path(row.model_folder),
        dataset=dict(row.dataset),
    )


def every(session: Session) -> list[ComparisonRow]:
    """All comparisons, the newest first."""
    rows = session.scalars(select(schema.Comparison).order_by(schema.Comparison.created.desc()))
    return [comparison_row(session, each) for each in rows]


def variants(session: Session, id: str) -> list[VariantRow]:
    """The variants of a comparison in their order."""
    rows = session.scalars(
        select(schema.Variant).where(schema.Variant.comparison_id == id).order_by(schema.Variant.position)
    )
    return [
        VariantRow(
            each.id,
            id,
            each.position,
            from_json(Variant, each.variant),
            each.cancelled,
            each.first_round,
            each.profile,
        )
        for each in rows
    ]
