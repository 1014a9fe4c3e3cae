"""Models and data sets."""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.errors import BadInput
from engine.spec import ModelSpec, from_json, to_json
from engine.store import schema
from engine.store.rows import DatasetRow, ModelRow


def new_id() -> str:
    """A short random id that is safe in a URL and in a path."""
    return secrets.token_hex(6)


def add_model(session: Session, spec: ModelSpec, folder: Path, origin: str, id: str = "") -> str:
    """Add an admitted model and give its id."""
    row = schema.Model(
        id=id or new_id(), name=spec.name, spec=to_json(spec), folder=str(folder), origin=origin, created=time.time()
    )
    session.add(row)
    return row.id


def find_model(session: Session, id: str) -> schema.Model:
    """The model's row, by its id or as `sample:<name>`; raises BadInput when there is none."""
    row = session.get(schema.Model, id)
    if row is None and id.startswith("sample:"):
        row = session.scalars(select(schema.Model).where(schema.Model.origin == id)).first()
    if row is None:
        raise BadInput(f"There is no model {id}.", "Pick one on the Models page; it may have been deleted.")
    return row


def update_model(session: Session, id: str, spec: ModelSpec) -> None:
    """Replace what is known about a model: filled-in shapes, task, preprocessing, name."""
    row = find_model(session, id)
    row.name, row.spec = spec.name, to_json(spec)


def delete_model(session: Session, id: str) -> Path:
    """Forget a model; its comparisons stay. Returns the folder that can be removed.

    Raises BadInput while a comparison of it is running.
    """
    row = find_model(session, id)
    active = session.scalars(
        select(schema.Comparison.name).where(
            schema.Comparison.model_id == id, schema.Comparison.state.in_(("queued", "running"))
        )
    ).first()
    if active is not None:
        raise BadInput(f"{row.name} is being measured in {active!r}.", "Cancel that comparison first.")
    folder = Path(row.folder)
    session.delete(row)
    return folder


def model_row(row: schema.Model) -> ModelRow:
    """The frozen form of a model's row."""
    return ModelRow(row.id, row.name, from_json(ModelSpec, row.spec), Path(row.folder), row.origin, row.created)


def models(session: Session) -> list[ModelRow]:
    """All models, the newest first."""
    return [model_row(each) for each in session.scalars(select(schema.Model).order_by(schema.Model.created.desc()))]


def add_dataset(session: Session, name: str, path: Path, facts: dict[str, Any], id: str = "") -> str:
    """Add a data set and give its id."""
    row = schema.Dataset(id=id or new_id(), name=name, path=str(path), facts=facts, created=time.time())
    session.add(row)
    return row.id


def datasets(session: Session) -> list[DatasetRow]:
    """All data sets, the newest first."""
    rows = session.scalars(select(schema.Dataset).order_by(schema.Dataset.created.desc()))
    return [dataset_row(each) for each in rows]


def dataset_row(row: schema.Dataset) -> DatasetRow:
    """The frozen form of a data set's row."""
    return DatasetRow(row.id, row.name, Path(row.path), dict(row.facts), row.created)


def find_dataset(session: Session, id: str) -> schema.Dataset:
    """The data set's row; raises BadInput when there is none."""
    row = session.get(schema.Dataset, id)
    if row is None:
        raise BadInput(f"There is no data set {id}.", "Pick one on the Optimize page; it may have been deleted.")
    return row
