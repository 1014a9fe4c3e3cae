"""What each phase is asked to do, as frozen data. A phase is `engine/worker/phases/<phase>.py`.

Paths are absolute. `model` is a folder with an `artifact.json` (the admitted upload), `prepared` a
folder made by the prepare phase or empty, `reference` a folder made by the reference phase.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from engine.spec import ModelSpec, Use, Workload


@dataclass(frozen=True)
class ProbeJob:
    """Look at this machine: devices, drivers, library versions, plugin availability.

    Value: {"devices": [...], "libraries": {...}, "runtimes": {name: {"ready", "reason", "hint"}}, ...}
    """

    phase: ClassVar[str] = "probe"
    catalog: bool = False


@dataclass(frozen=True)
class InspectJob:
    """Admit an upload into `folder` and say what it is.

    `architecture` (`torchvision.resnet50`, ...) with `arguments` is needed for bare weights; with an
    empty `path` it gives settled random weights. `shapes` and `constants` are what the user knows
    about inputs whose file does not tell. Value: {"spec": ModelSpec, "artifact": folder}.
    """

    phase: ClassVar[str] = "inspect"
    path: str
    folder: str
    name: str = ""
    architecture: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    constants: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PrepareJob:
    """Turn a data set into the model's inputs, once: `samples.npz` and `facts.json` in `folder`.

    Splits are index arrays in the npz: test (accuracy, parity), train, validation, calibration.
    Value: {"samples", "labelled", "classes", "digest", "splits": {...}, "notes": [...]}.
    """

    phase: ClassVar[str] = "prepare"
    spec: ModelSpec
    model: str
    dataset: str
    folder: str
    columns: dict[str, str] = field(default_factory=dict)
    seed: int = 0


@dataclass(frozen=True)
class ReferenceJob:
    """Run the uploaded model in its format's reference runtime, twice, on the verification inputs.

    Writes `reference.npz` (inputs and outputs at every batch size) and `facts.json` (its own spread,
    constant or not, evidence) into `folder`. Value: those facts.
    """

    phase: ClassVar[str] = "reference"
    spec: ModelSpec
    model: str
    workload: Workload
    folder: str
    prepared: str = ""
    runtime: Use | None = None


@dataclass(frozen=True)
class BuildJob:
    """Carry out a route, taking from the artifact store what is already there.

    `batch_size` is None for a dynamic build. `teachers` maps model ids to artifact folders. With
    `runtime`, a runtime that compiles fills its cache as the last step: for `compile_for`, or for
    every batch size where that is None. Value: BuildResult.
    """

    phase: ClassVar[str] = "build"
    spec: ModelSpec
    model: str
    route: tuple[Use, ...]
    formats: tuple[str, ...]
    workload: Workload
    store: str
    batch_size: int | None = None
    compile_for: int | None = None
    runtime: Use | None = None
    prepared: str = ""
    teachers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class MeasureJob:
    """Verify, then time one artifact in one runtime, batch size after batch size.

    Every finished batch size is reported at once as an event with `data={"measurement": ...}`, so
    that a later one that kills the process loses nothing. `extras` asks for what is measured once:
    parity, accuracy, sweep, memory. Value: {"measurements": [Measurement, ...]}.
    """

    phase: ClassVar[str] = "measure"
    spec: ModelSpec
    artifacts: dict[int, str]
    runtime: Use
    workload: Workload
    batch_sizes: tuple[int, ...]
    round: int = 0
    position: int = 0
    reference: str = ""
    prepared: str = ""
    cache: str = ""
    extras: tuple[str, ...] = ("parity", "accuracy", "memory")


@dataclass(frozen=True)
class ProfileJob:
    """One variant up close: time per layer or kernel, what was fused, launches, operations, bytes.

    Value: {"layers": [...], "kernels": [...], "launches", "busy_ms", "fused": [...], ...}.
    """

    phase: ClassVar[str] = "profile"
    spec: ModelSpec
    artifact: str
    runtime: Use
    workload: Workload
    batch_size: int
    model: str = ""
    cache: str = ""


@dataclass(frozen=True)
class ServeJob:
    """Open one artifact in its runtime and answer questions until standard input ends.

    Questions and answers are those of `engine.worker.serving`. `model` is where a tokenizer lies.
    """

    phase: ClassVar[str] = "serve"
    spec: ModelSpec
    artifact: str
    runtime: Use
    workload: Workload
    batch_size: int
    model: str = ""
    prepared: str = ""
    cache: str = ""


Job = ProbeJob | InspectJob | PrepareJob | ReferenceJob | BuildJob | MeasureJob | ProfileJob | ServeJob
JOBS: dict[str, type[Any]] = {
    each.phase: each
    for each in (ProbeJob, InspectJob, PrepareJob, ReferenceJob, BuildJob, MeasureJob, ProfileJob, ServeJob)
}
