"""What the store gives back: frozen rows, never objects bound to the database."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from engine.measurement import BuildResult, Measurement
from engine.spec import ModelSpec, Status, Variant, Workload

State = Literal["queued", "running", "finished", "cancelled"]
Kind = Literal["prepare", "reference", "build", "measure", "profile"]
DYNAMIC = 0
"""The batch size that stands for an artifact built for a range of them."""


def iso(seconds: float | None) -> str:
    """Seconds since the epoch as ISO 8601 in UTC; nothing for None."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds") if seconds is not None else ""


@dataclass(frozen=True)
class ModelRow:
    """A model ready to be compared. `origin` is `upload` or `sample:<name>`."""

    id: str
    name: str
    spec: ModelSpec
    folder: Path
    origin: str
    created: float


@dataclass(frozen=True)
class DatasetRow:
    """A data set ready to be chosen."""

    id: str
    name: str
    path: Path
    facts: dict[str, Any]
    created: float


@dataclass(frozen=True)
class ComparisonRow:
    """A comparison without its results. `origin` is measured, imported or recorded.

    `done` of `total` variants have all their results; `worst` lists the statuses that ended badly.
    """

    id: str
    name: str
    model_id: str | None
    spec: ModelSpec
    workload: Workload
    state: State
    origin: str
    host: str
    created: float
    started: float | None
    finished: float | None
    revision: int
    variants: int
    command: str = ""
    model_folder: Path = field(default_factory=Path)
    dataset: dict[str, Any] = field(default_factory=dict)

    @property
    def active(self) -> bool:
        """Whether there is still work to do."""
        return self.state in ("queued", "running")


@dataclass(frozen=True)
class VariantRow:
    """One variant of a comparison, in the order the user gave."""

    id: str
    comparison_id: str
    position: int
    variant: Variant
    cancelled: bool
    first_round: int
    profile: bool


@dataclass(frozen=True)
class PhaseRow:
    """One unit of work that was claimed at least once."""

    id: str
    comparison_id: str
    variant_id: str | None
    key: str
    kind: Kind
    batch_sizes: tuple[int, ...]
    round: int
    slot: int
    device: str
    state: Literal["queued", "running", "done"]
    status: Status
    reason: str
    hint: str
    lease_owner: str
    lease_until: float
    attempts: int
    folder: Path
    command: str
    fraction: float | None
    text: str
    started: float
    finished: float | None
    seconds: float
    startup_s: float
    waited_s: float
    value: dict[str, Any]


@dataclass(frozen=True)
class BuildRow:
    """What building one variant gave, for one batch size or `DYNAMIC`."""

    variant_id: str
    batch_size: int
    result: BuildResult


@dataclass(frozen=True)
class MeasurementRow:
    """One measurement of one variant; `slot` is the place within its round."""

    variant_id: str
    slot: int
    measurement: Measurement


@dataclass(frozen=True)
class ProfileRow:
    """One profile of one variant."""

    variant_id: str
    batch_size: int
    value: dict[str, Any]


@dataclass(frozen=True)
class VariantProgress:
    """One line of the Runs page. `fraction` is 0 to 1; `remaining_s` is None where nothing is known.

    `stage` is what is happening or happened last: prepare, reference, build, measure, profile, done.
    `log` is the log of the last phase and `reproduce` the command that repeats it; `failing_step` is
    the step of the route that could not be carried out, or the phase that ended badly after all steps.
    """

    variant_id: str
    label: str
    recipe: str
    baseline: bool
    stage: str
    fraction: float
    text: str
    status: Status
    reason: str = ""
    hint: str = ""
    started: float | None = None
    elapsed_s: float = 0.0
    remaining_s: float | None = None
    log: Path | None = None
    reproduce: str = ""
    failing_step: str = ""


@dataclass(frozen=True)
class ComparisonState:
    """Everything the planner needs to know about one comparison; no raw samples.

    `builds` is keyed by variant and batch size, `measured` by variant, round, slot and batch size.
    """

    comparison: ComparisonRow
    variants: tuple[VariantRow, ...]
    phases: tuple[PhaseRow, ...]
    builds: dict[tuple[str, int], BuildResult]
    measured: dict[tuple[str, int, int, int], Status]
