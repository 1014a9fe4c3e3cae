"""What phases gave: builds, measurements with their raw samples, profiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Select, delete, func, select
from sqlalchemy.orm import Session, defer

from engine.errors import BadInput
from engine.measurement import BuildResult, Measurement
from engine.spec import Status, Variant, from_json, to_json
from engine.store import schema
from engine.store.comparison_rows import comparison_row, variants
from engine.store.comparisons import find
from engine.store.phase_rows import of
from engine.store.rows import BuildRow, ComparisonState, MeasurementRow, PhaseRow, ProfileRow
from engine.store.samples import bare, packed, with_samples

BLOBS = ("resident", "resident_enqueue", "end_to_end", "end_to_end_enqueue")
Table = TypeVar("Table", schema.Build, schema.Measurement, schema.Profile)


def add_build(session: Session, phase: PhaseRow, batch_size: int, result: BuildResult) -> None:
    """Keep what a build gave, in place of an older one."""
    session.execute(
        delete(schema.Build).where(schema.Build.variant_id == phase.variant_id, schema.Build.batch_size == batch_size)
    )
    session.add(
        schema.Build(
            comparison_id=phase.comparison_id,
            variant_id=phase.variant_id,
            phase_id=phase.id,
            batch_size=batch_size,
            result=to_json(result),
        )
    )


def add_measurement(session: Session, phase: PhaseRow, measurement: Measurement) -> None:
    """Keep one measurement; its raw samples go into blobs."""
    resident, end_to_end = measurement.resident, measurement.end_to_end
    session.add(
        schema.Measurement(
            comparison_id=phase.comparison_id,
            variant_id=phase.variant_id,
            phase_id=phase.id,
            batch_size=measurement.batch_size,
            round=phase.round,
            slot=phase.slot,
            measurement=to_json(bare(measurement)),
            resident=packed(resident.samples_ns if resident else None),
            resident_enqueue=packed(resident.enqueue_ns if resident else None),
            end_to_end=packed(end_to_end.samples_ns if end_to_end else None),
            end_to_end_enqueue=packed(end_to_end.enqueue_ns if end_to_end else None),
        )
    )


def add_profile(session: Session, phase: PhaseRow, batch_size: int, value: dict[str, Any]) -> None:
    """Keep a profile, in place of an older one."""
    session.execute(
        delete(schema.Profile).where(
            schema.Profile.variant_id == phase.variant_id, schema.Profile.batch_size == batch_size
        )
    )
    session.add(
        schema.Profile(
            comparison_id=phase.comparison_id,
            variant_id=phase.variant_id,
            phase_id=phase.id,
            batch_size=batch_size,
            value=value,
        )
    )


def rows_of(session: Session, table: type[Table], comparison_id: str, *options: Any) -> Sequence[Table]:
    """All rows of one comparison in the order they came."""
    chosen: Select[Table] = select(table).where(table.comparison_id == comparison_id).order_by(table.id)
    return session.scalars(chosen.options(*options)).all()


def builds(session: Session, comparison_id: str) -> list[BuildRow]:
    """Every build of a comparison."""
    return [
        BuildRow(each.variant_id, each.batch_size, from_json(BuildResult, each.result))
        for each in rows_of(session, schema.Build, comparison_id)
    ]


def profiles(session: Session, comparison_id: str) -> list[ProfileRow]:
    """Every profile of a comparison."""
    return [
        ProfileRow(each.variant_id, each.batch_size, dict(each.value))
        for each in rows_of(session, schema.Profile, comparison_id)
    ]


def measurements(session: Session, comparison_id: str) -> list[MeasurementRow]:
    """Every measurement of a comparison with its raw samples."""
    found = []
    for each in rows_of(session, schema.Measurement, comparison_id):
        plain = from_json(Measurement, each.measurement)
        whole = replace(
            plain,
            resident=with_samples(plain.resident, each.resident, each.resident_enqueue),
            end_to_end=with_samples(plain.end_to_end, each.end_to_end, each.end_to_end_enqueue),
        )
        found.append(MeasurementRow(each.variant_id, each.slot, whole))
    return found


def marks(session: Session, comparison_id: str) -> list[MeasurementRow]:
    """Every measurement of a comparison without its raw samples."""
    skip = [defer(getattr(schema.Measurement, each)) for each in BLOBS]
    return [
        MeasurementRow(each.variant_id, each.slot, from_json(Measurement, each.measurement))
        for each in rows_of(session, schema.Measurement, comparison_id, *skip)
    ]


def measured(session: Session, comparison_id: str) -> dict[tuple[str, int, int, int], Status]:
    """The status of every measurement by variant, round, slot and batch size; reads no samples."""
    skip = [defer(getattr(schema.Measurement, each)) for each in BLOBS]
    return {
        (each.variant_id, each.round, each.slot, each.batch_size): each.measurement["status"]
        for each in rows_of(session, schema.Measurement, comparison_id, *skip)
    }


def retry(session: Session, comparison_id: str, variant_id: str) -> None:
    """Forget what a variant gave and queue it again.

    It is measured in further rounds, so that its speed-up is against a baseline of the same rounds;
    the baseline itself fills the gaps of its own rounds. Failed shared phases are tried again too.
    """
    comparison = find(session, comparison_id)
    if comparison.document is not None:
        raise BadInput("An imported comparison can't be measured again here.", "Compare the model itself.")
    row = session.get(schema.Variant, variant_id)
    if row is None or row.comparison_id != comparison_id:
        raise BadInput(f"There is no variant {variant_id} in this comparison.", "Reload the page.")
    last = session.scalar(
        select(func.max(schema.Measurement.round)).where(schema.Measurement.comparison_id == comparison_id)
    )
    spoiled = delete(schema.Phase).where(schema.Phase.comparison_id == comparison_id, schema.Phase.state != "running")
    session.execute(spoiled.where(schema.Phase.variant_id.is_(None), schema.Phase.status != "ok"))
    # Builds, measurements and profiles go with their phases.
    session.execute(spoiled.where(schema.Phase.variant_id == variant_id, schema.Phase.status != "ok"))
    session.execute(spoiled.where(schema.Phase.id.in_(vanished(session, variant_id))))
    if from_json(Variant, row.variant).baseline:
        fill_gaps(session, variant_id)
    else:
        session.execute(spoiled.where(schema.Phase.variant_id == variant_id, schema.Phase.kind != "build"))
        row.first_round = 0 if last is None else last + 1
    row.cancelled = False
    comparison.state, comparison.started, comparison.finished = "queued", None, None
    comparison.revision += 1


def vanished(session: Session, variant_id: str) -> list[str]:
    """The phases that built what has been removed from the disk since."""
    rows = session.scalars(select(schema.Build).where(schema.Build.variant_id == variant_id))
    return [each.phase_id for each in rows if not Path(str(each.result["details"].get("artifact", ""))).exists()]


def fill_gaps(session: Session, variant_id: str) -> None:
    """Drop a variant's bad measurements, and let the phases that gave them be planned again."""
    for each in session.scalars(select(schema.Measurement).where(schema.Measurement.variant_id == variant_id)):
        if each.measurement["status"] not in ("ok", "suspect"):
            session.delete(each)
    for phase in session.scalars(
        select(schema.Phase).where(schema.Phase.variant_id == variant_id, schema.Phase.kind == "measure")
    ):
        phase.key = f"{phase.key}:{phase.id}"


def request_profile(session: Session, comparison_id: str, variant_id: str) -> None:
    """Ask for a profile of a variant; a failed one is tried again."""
    comparison = find(session, comparison_id)
    row = session.get(schema.Variant, variant_id)
    if row is None or row.comparison_id != comparison_id:
        raise BadInput(f"There is no variant {variant_id} in this comparison.", "Reload the page.")
    session.execute(
        delete(schema.Phase).where(
            schema.Phase.variant_id == variant_id, schema.Phase.kind == "profile", schema.Phase.state == "done"
        )
    )
    row.profile = True
    if comparison.state in ("finished", "cancelled"):
        comparison.state, comparison.finished = "queued", None
    comparison.revision += 1


def state(session: Session, comparison_id: str) -> ComparisonState:
    """What the planner needs to know about one comparison."""
    return ComparisonState(
        comparison=comparison_row(session, find(session, comparison_id)),
        variants=tuple(variants(session, comparison_id)),
        phases=tuple(of(session, comparison_id)),
        builds={(each.variant_id, each.batch_size): each.result for each in builds(session, comparison_id)},
        measured=measured(session, comparison_id),
    )
