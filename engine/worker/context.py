"""What a step is given while it is applied: the concrete Context, which refuses undeclared reads."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from engine.artifact import Artifact, read_manifest
from engine.data.prepared import load as load_prepared
from engine.errors import BadInput, StepFailed
from engine.feeds import random_feeds
from engine.plugin import Plugin
from engine.spec import ModelSpec, to_json
from engine.steps.base import Samples, Step
from engine.store.artifacts import ArtifactStore, content_digest
from engine.worker.jobs import BuildJob
from engine.worker.protocol import Reporter

EXAMPLE_BATCH = 2  # a 1 would be taken for a fixed size


@dataclass
class BuildContext:
    """What one step of a build may read, and where it writes.

    `part` is the span of the whole build's progress that this step fills. `warnings` collects what
    the step warned of.
    """

    step: Step
    job: BuildJob
    spec: ModelSpec
    folder: Path
    report: Reporter
    store: ArtifactStore
    key: str
    part: tuple[float, float] = (0.0, 1.0)
    warnings: list[str] = field(default_factory=list)

    def progress(self, fraction: float | None, text: str = "", **data: Any) -> None:
        low, high = self.part
        whole = None if fraction is None else low + (high - low) * min(max(fraction, 0.0), 1.0)
        self.report(whole, text or (self.step.title or self.step.name), step=self.step.name, **data)

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def declared(self, read: str) -> None:
        """Refuse what the step did not declare: it would be missing from the cache key."""
        if read not in self.step.uses:
            raise StepFailed(
                f"The step {self.step.name} reads {read!r} without declaring it.",
                f"Add {read!r} to `uses` of {type(self.step).__name__}.",
            )

    @property
    def device(self) -> str:
        self.declared("device")
        return self.job.workload.device

    @property
    def threads(self) -> int:
        self.declared("threads")
        return thread_count(self.job.workload.threads)

    @property
    def seed(self) -> int:
        self.declared("seed")
        return self.job.workload.seed

    @property
    def static_batch(self) -> int | None:
        self.declared("examples" if "examples" in self.step.uses else "batch")  # the key of both holds it
        return self.job.batch_size

    @property
    def batch_range(self) -> tuple[int, int, int]:
        self.declared("batch")
        return batch_range(self.job)

    def example(
        self, batch_size: int | None = None, seed: int | None = None, sizes: Mapping[str, int] | None = None
    ) -> dict[str, Any]:
        self.declared("examples")
        chosen = batch_size or self.job.batch_size or EXAMPLE_BATCH
        if self.job.batch_size is None:
            sizes = {**two_for_one(self.spec), **(sizes or {})}
        return random_feeds(self.spec, chosen, self.job.workload.seed if seed is None else seed, sizes)

    def sample(self) -> dict[str, Any]:
        self.declared("sample")
        return random_feeds(self.spec, EXAMPLE_BATCH, self.job.workload.seed, two_for_one(self.spec))

    def dataset(self, split: Literal["train", "validation", "calibration"]) -> Samples:
        self.declared("dataset")
        if not self.job.prepared:
            raise BadInput(
                f"{self.step.title or self.step.name} needs a data set, and none was chosen.",
                "Choose one under Workload, or with --dataset.",
            )
        if split not in ("train", "validation", "calibration"):
            raise StepFailed(f"The step {self.step.name} asked for the {split!r} split.", "Accuracy is measured on it.")
        samples: Any = load_prepared(self.job.prepared).split(split)
        return samples  # type: ignore[no-any-return]

    def has_dataset(self, split: str = "") -> bool:
        """Whether the user chose a data set, and one with samples in `split` if that is given. Declare `dataset`."""
        self.declared("dataset")
        if not self.job.prepared or not split:
            return bool(self.job.prepared)
        return len(load_prepared(self.job.prepared).splits.get(split, ())) > 0

    def model(self, reference: str) -> Artifact:
        self.declared("teacher")
        return teacher(self.job, reference)

    def checkpoint(self) -> Path:
        return self.store.checkpoint(self.key)

    def cache(self, name: str) -> Path:
        folder = self.store.caches / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def cancelled(self) -> bool:
        return self.report.cancelled()


def workload_spec(job: BuildJob) -> ModelSpec:
    """The model's spec with the workload's shapes filled in."""
    return job.spec.with_shapes(job.workload.shapes)


def two_for_one(spec: ModelSpec) -> dict[str, int]:
    """Every dynamic dimension whose size is 1, as 2."""
    return {name: 2 for name, size in spec.sizes.items() if size == 1}


def batch_range(job: BuildJob) -> tuple[int, int, int]:
    """Smallest, best and largest batch size: of the workload, from 1 when a sweep comes."""
    if job.batch_size is not None:
        return (job.batch_size, job.batch_size, job.batch_size)
    sizes = sorted(job.workload.batch_sizes)
    return (1 if job.workload.sweep else sizes[0], sizes[len(sizes) // 2], sizes[-1])


def thread_count(wanted: int) -> int:
    """The CPU threads to use: as wanted, or every physical core this process may run on."""
    if wanted > 0:
        return wanted
    import psutil

    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(allowed, psutil.cpu_count(logical=False) or allowed))


def teacher(job: BuildJob, reference: str) -> Artifact:
    """The artifact of another model, by its id; raises BadInput when the job has none of that id."""
    if reference not in job.teachers:
        known = ", ".join(job.teachers) or "none"
        raise BadInput(f"There is no model {reference!r} to learn from.", f"Models given to this build: {known}.")
    return read_manifest(Path(job.teachers[reference]))


def uses_digests(plugin: Step, job: BuildJob, spec: ModelSpec) -> dict[str, Any]:
    """What a step declares that it reads, in a form that changes whenever its content does.

    The model's inputs and outputs are always part of it. The number of threads never is.
    """
    found: dict[str, Any] = {"interface": [to_json(spec.inputs), to_json(spec.outputs)]}
    for use in plugin.uses:
        if use == "examples":
            found[use] = [spec.sizes, job.batch_size, job.workload.seed]
        elif use == "sample":
            found[use] = [spec.sizes, job.workload.seed]
        elif use == "batch":
            found[use] = [job.batch_size, batch_range(job)]
        elif use == "dataset":
            found[use] = load_prepared(job.prepared).digest if job.prepared else ""
        elif use == "teacher":
            found[use] = {each: content_digest(teacher(job, each)) for each in references(plugin)}
        elif use == "seed":
            found[use] = job.workload.seed
        elif use == "device":
            found[use] = device_model(job.workload.device)
    return found


def references(plugin: Plugin) -> list[str]:
    """The models that a plugin's options name."""
    options = plugin.options()
    return [str(options[each.name]) for each in plugin.option_list() if each.kind == "model" and options[each.name]]


def device_model(device: str) -> str:
    """What kind of device this is: `cpu`, or the GPU's name. Loads no framework."""
    kind, _, index = device.partition(":")
    if kind != "cuda":
        return kind
    import pynvml

    visible = [each.strip() for each in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if each.strip()]
    wanted = visible[int(index or 0)] if visible else index or "0"
    pynvml.nvmlInit()
    try:
        by_index = wanted.isdigit()
        handle = (pynvml.nvmlDeviceGetHandleByIndex if by_index else pynvml.nvmlDeviceGetHandleByUUID)(
            int(wanted) if by_index else wanted
        )
        name = pynvml.nvmlDeviceGetName(handle)
        return name.decode() if isinstance(name, bytes) else str(name)
    finally:
        pynvml.nvmlShutdown()
