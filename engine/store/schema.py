"""The tables. Times are seconds since the epoch; documents that are only read whole are JSON."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, ForeignKey, LargeBinary, MetaData, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

REVISION = "0002"


class Base(DeclarativeBase):
    """Names every constraint, so that later migrations can refer to it on any database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {dict[str, Any]: JSON, list[Any]: JSON}


class Model(Base):
    """An admitted upload; `folder` holds its artifact."""

    __tablename__ = "models"
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    spec: Mapped[dict[str, Any]]
    folder: Mapped[str] = mapped_column(Text)
    origin: Mapped[str]
    created: Mapped[float]


class Dataset(Base):
    """A data set as it was given; each comparison prepares it for its own model."""

    __tablename__ = "datasets"
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    path: Mapped[str] = mapped_column(Text)
    facts: Mapped[dict[str, Any]]
    created: Mapped[float]


class Comparison(Base):
    """One model, one workload, many variants; an imported one is only its document.

    `spec` is the model as it was when the comparison began. `revision` grows with every change.
    `host` is the machine whose scheduler carries it out, because figures of one comparison must
    come from one machine.
    """

    __tablename__ = "comparisons"
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    model_id: Mapped[str | None] = mapped_column(ForeignKey("models.id", ondelete="SET NULL"))
    spec: Mapped[dict[str, Any]]
    workload: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(index=True)
    origin: Mapped[str]
    host: Mapped[str]
    command: Mapped[str] = mapped_column(Text)
    model_folder: Mapped[str] = mapped_column(Text)
    dataset: Mapped[dict[str, Any]]
    created: Mapped[float]
    started: Mapped[float | None]
    finished: Mapped[float | None]
    revision: Mapped[int]
    document: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)


class Variant(Base):
    """One recipe of a comparison. `first_round` grows when the variant is retried."""

    __tablename__ = "variants"
    __table_args__ = (UniqueConstraint("comparison_id", "position"),)
    id: Mapped[str] = mapped_column(primary_key=True)
    comparison_id: Mapped[str] = mapped_column(ForeignKey("comparisons.id", ondelete="CASCADE"))
    position: Mapped[int]
    variant: Mapped[dict[str, Any]]
    cancelled: Mapped[bool]
    first_round: Mapped[int]
    profile: Mapped[bool]


class Phase(Base):
    """One unit of work, claimed by a lease. The key keeps it from being there twice.

    `state` is queued (interrupted and waiting), running or done; `status` is how it ended.
    """

    __tablename__ = "phases"
    __table_args__ = (UniqueConstraint("comparison_id", "key"),)
    id: Mapped[str] = mapped_column(primary_key=True)
    comparison_id: Mapped[str] = mapped_column(ForeignKey("comparisons.id", ondelete="CASCADE"))
    variant_id: Mapped[str | None] = mapped_column(ForeignKey("variants.id", ondelete="CASCADE"))
    key: Mapped[str]
    kind: Mapped[str]
    batch_sizes: Mapped[list[Any]]
    round: Mapped[int]
    slot: Mapped[int]
    device: Mapped[str]
    state: Mapped[str] = mapped_column(index=True)
    status: Mapped[str]
    reason: Mapped[str] = mapped_column(Text)
    hint: Mapped[str] = mapped_column(Text)
    lease_owner: Mapped[str]
    lease_until: Mapped[float]
    attempts: Mapped[int]
    folder: Mapped[str] = mapped_column(Text)
    command: Mapped[str] = mapped_column(Text)
    fraction: Mapped[float | None]
    text: Mapped[str] = mapped_column(Text)
    started: Mapped[float]
    finished: Mapped[float | None]
    seconds: Mapped[float]
    startup_s: Mapped[float]
    waited_s: Mapped[float] = mapped_column(server_default="0")
    value: Mapped[dict[str, Any]]


class Build(Base):
    """What building a variant gave; `batch_size` 0 is a dynamic artifact."""

    __tablename__ = "builds"
    __table_args__ = (UniqueConstraint("variant_id", "batch_size"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    comparison_id: Mapped[str] = mapped_column(ForeignKey("comparisons.id", ondelete="CASCADE"), index=True)
    variant_id: Mapped[str] = mapped_column(ForeignKey("variants.id", ondelete="CASCADE"))
    phase_id: Mapped[str] = mapped_column(ForeignKey("phases.id", ondelete="CASCADE"))
    batch_size: Mapped[int]
    result: Mapped[dict[str, Any]]


class Measurement(Base):
    """One measurement; the raw samples are packed blobs beside its JSON."""

    __tablename__ = "measurements"
    __table_args__ = (UniqueConstraint("variant_id", "batch_size", "round", "slot"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    comparison_id: Mapped[str] = mapped_column(ForeignKey("comparisons.id", ondelete="CASCADE"), index=True)
    variant_id: Mapped[str] = mapped_column(ForeignKey("variants.id", ondelete="CASCADE"))
    phase_id: Mapped[str] = mapped_column(ForeignKey("phases.id", ondelete="CASCADE"))
    batch_size: Mapped[int]
    round: Mapped[int]
    slot: Mapped[int]
    measurement: Mapped[dict[str, Any]]
    resident: Mapped[bytes | None] = mapped_column(LargeBinary)
    resident_enqueue: Mapped[bytes | None] = mapped_column(LargeBinary)
    end_to_end: Mapped[bytes | None] = mapped_column(LargeBinary)
    end_to_end_enqueue: Mapped[bytes | None] = mapped_column(LargeBinary)


class Profile(Base):
    """What the profile phase found out about one variant at one batch size."""

    __tablename__ = "profiles"
    __table_args__ = (UniqueConstraint("variant_id", "batch_size"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    comparison_id: Mapped[str] = mapped_column(ForeignKey("comparisons.id", ondelete="CASCADE"), index=True)
    variant_id: Mapped[str] = mapped_column(ForeignKey("variants.id", ondelete="CASCADE"))
    phase_id: Mapped[str] = mapped_column(ForeignKey("phases.id", ondelete="CASCADE"))
    batch_size: Mapped[int]
    value: Mapped[dict[str, Any]]
