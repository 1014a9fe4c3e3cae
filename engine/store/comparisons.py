"""Comparisons and their variants."""

from __future__ import annotations

import platform
import time
import zlib
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from engine.document import ComparisonDocument, dump, parse
from engine.errors import BadInput
from engine.spec import ModelSpec, Variant, Workload, from_json, to_json
from engine.store import schema
from engine.store.models import find_model, new_id
from engine.workload import check


def create(
    session: Session, name: str, model_id: str, workload: Workload, variants: Sequence[Variant], command: str
) -> str:
    """Queue a comparison; exactly one variant is the baseline. Raises BadInput when it can't be run."""
    model = find_model(session, model_id)
    if not variants:
        raise BadInput("There is no variant to measure.", "Choose at least one recipe.")
    if sum(each.baseline for each in variants) != 1:
        raise BadInput("A comparison has exactly one baseline.", "Mark one variant as the baseline.")
    spec = check(from_json(ModelSpec, model.spec), workload)
    row = schema.Comparison(
        id=new_id(),
        name=name.strip() or model.name,
        model_id=model_id,
        spec=to_json(spec),
        workload=to_json(workload),
        state="queued",
        origin="measured",
        host=platform.node(),
        command=command,
        model_folder=model.folder,
        dataset=dataset_file(session, workload.dataset),
        created=time.time(),
        revision=0,
    )
    session.add(row)
    session.flush()
    for position, each in enumerate(variants):
        session.add(
            schema.Variant(
                id=new_id(),
                comparison_id=row.id,
                position=position,
                variant=to_json(each),
                cancelled=False,
                first_round=0,
                profile=False,
            )
        )
    return row.id


def dataset_file(session: Session, id: str) -> dict[str, str]:
    """The name of an uploaded data set's file, which outlives the data set; nothing for any other data."""
    row = session.get(schema.Dataset, id) if id else None
    return {"file": Path(row.path).name} if row is not None else {}


def import_document(session: Session, document: ComparisonDocument, origin: str) -> str:
    """Keep a comparison that was measured elsewhere, as its document."""
    row = schema.Comparison(
        id=new_id(),
        name=document.name,
        model_id=None,
        spec=to_json(document.model),
        workload=to_json(document.workload),
        state="finished",
        origin=origin,
        host=str(document.environment.get("host", "")),
        command=document.command,
        model_folder="",
        dataset=dict(document.dataset),
        created=time.time(),
        revision=0,
        document=zlib.compress(dump(document).encode(), 6),
    )
    session.add(row)
    return row.id


def stored_document(session: Session, id: str) -> ComparisonDocument | None:
    """The document of an imported comparison, or None for one measured here."""
    row = find(session, id)
    if row.document is None:
        return None
    return parse(zlib.decompress(row.document))


def find(session: Session, id: str) -> schema.Comparison:
    """The comparison's row; raises BadInput when there is none."""
    row = session.get(schema.Comparison, id)
    if row is None:
        raise BadInput(f"There is no comparison {id}.", "Pick one on the Runs page; it may have been deleted.")
    return row


def pulse(session: Session, id: str) -> tuple[str, int]:
    """The state and the revision of a comparison; raises BadInput when there is none."""
    found = session.execute(
        select(schema.Comparison.state, schema.Comparison.revision).where(schema.Comparison.id == id)
    ).one_or_none()
    if found is None:
        raise BadInput(f"There is no comparison {id}.", "Pick one on the Runs page; it may have been deleted.")
    return found.state, found.revision


def touch(session: Session, id: str) -> None:
    """Count a change, so that readers know that theirs is old."""
    session.execute(
        update(schema.Comparison)
        .where(schema.Comparison.id == id)
        .values(revision=schema.Comparison.revision + 1)
        .execution_options(synchronize_session=False)
    )


def set_state(session: Session, id: str, state: str) -> None:
    """Move a comparison to another state and note when."""
    row = find(session, id)
    if state == "running" and row.started is None:
        row.started = time.time()
    row.finished = time.time() if state in ("finished", "cancelled") else None
    row.state = state
    row.revision += 1


def rename(session: Session, id: str, name: str) -> None:
    """Give a comparison another name."""
    if not name.strip():
        raise BadInput("A comparison needs a name.", "Type one.")
    row = find(session, id)
    row.name = name.strip()
    row.revision += 1


def remove(session: Session, id: str) -> list[Path]:
    """Delete a comparison with its results; returns the job folders that can be removed.

    Raises BadInput while it is running.
    """
    row = find(session, id)
    if row.state == "running":
        raise BadInput(f"{row.name} is still running.", "Cancel it first.")
    folders = [
        Path(each)
        for each in session.scalars(select(schema.Phase.folder).where(schema.Phase.comparison_id == id))
        if each
    ]
    session.execute(delete(schema.Comparison).where(schema.Comparison.id == id))
    return folders


def cancel(session: Session, id: str, variant_id: str | None) -> None:
    """Mark one variant, or all of them, as cancelled; the scheduler stops what is running."""
    row = find(session, id)
    chosen = update(schema.Variant).where(schema.Variant.comparison_id == id)
    if variant_id is not None:
        chosen = chosen.where(schema.Variant.id == variant_id)
    session.execute(chosen.values(cancelled=True))
    if row.state == "queued":
        left = select(func.count()).where(schema.Variant.comparison_id == id, schema.Variant.cancelled.is_(False))
        if session.scalar(left) == 0:
            row.state, row.finished = "cancelled", time.time()
    row.revision += 1
