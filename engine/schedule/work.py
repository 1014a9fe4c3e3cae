"""From a planned phase to the job of a worker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.errors import BadInput
from engine.measure.cores import thread_environment, threads_for
from engine.measurement import BuildResult
from engine.schedule.plan import OPENING, compiles, shared
from engine.spec import Use, Workload
from engine.steps import step_for
from engine.store.rows import DYNAMIC, ComparisonState, PhaseRow, VariantRow
from engine.store.store import Store
from engine.worker.jobs import BuildJob, Job, MeasureJob, PrepareJob, ProfileJob, ReferenceJob

BUNDLED = "sample:"


@dataclass(frozen=True)
class Work:
    """One phase with everything that is known about its comparison."""

    store: Store
    state: ComparisonState
    phase: PhaseRow
    position: int = 0

    @property
    def workload(self) -> Workload:
        return self.state.comparison.workload

    @property
    def variant(self) -> VariantRow:
        """The variant of a phase that has one."""
        return next(each for each in self.state.variants if each.id == self.phase.variant_id)

    def left_by(self, kind: str) -> str:
        """The folder that a finished shared phase filled, or nothing."""
        done = shared(self.state, kind)
        return str(done.folder / kind) if done is not None and done.status == "ok" else ""

    def build(self, batch_size: int) -> BuildResult:
        """The finished build that serves a batch size."""
        key = self.variant.id
        return self.state.builds.get((key, batch_size)) or self.state.builds[key, DYNAMIC]


def job_of(work: Work) -> Job:
    """The job of a phase; raises BadInput when something it needs is gone."""
    makers: dict[str, Callable[[Work], Job]] = {
        "prepare": prepare_job,
        "reference": reference_job,
        "build": build_job,
        "measure": measure_job,
        "profile": profile_job,
    }
    return makers[work.phase.kind](work)


def prepare_job(work: Work) -> PrepareJob:
    """Turn the workload's data set into inputs of this model."""
    comparison, name = work.state.comparison, work.workload.dataset
    columns: dict[str, str] = {}
    if not name.startswith(BUNDLED) and not Path(name).is_absolute():
        row = work.store.dataset(name)
        name, columns = str(row.path), dict(row.facts.get("columns", {}))
    return PrepareJob(
        spec=comparison.spec,
        model=str(comparison.model_folder),
        dataset=name,
        folder=str(work.phase.folder / "prepare"),
        columns=columns,
        seed=work.workload.seed,
    )


def reference_job(work: Work) -> ReferenceJob:
    """Run the upload itself."""
    comparison = work.state.comparison
    return ReferenceJob(
        spec=comparison.spec,
        model=str(comparison.model_folder),
        workload=work.workload,
        folder=str(work.phase.folder / "reference"),
        prepared=work.left_by("prepare"),
    )


def build_job(work: Work) -> BuildJob:
    """Carry out a variant's route."""
    comparison, variant = work.state.comparison, work.variant.variant
    size = work.phase.batch_sizes[0]
    return BuildJob(
        spec=comparison.spec,
        model=str(comparison.model_folder),
        route=variant.route,
        formats=variant.formats,
        workload=work.workload,
        store=str(work.store.settings.artifacts),
        batch_size=size if variant.recipe.static else None,
        compile_for=None if size == DYNAMIC else size,
        runtime=variant.recipe.runtime,
        prepared=work.left_by("prepare"),
        teachers=teachers(work.store, variant.route, variant.formats),
    )


def teachers(store: Store, route: tuple[Use, ...], formats: tuple[str, ...]) -> dict[str, str]:
    """The artifact folders of the models that a route's options name."""
    found = {}
    for use, format in zip(route, formats, strict=False):
        step = step_for(use.name, format)
        for each in step.option_list() if step else ():
            value = str(use.options.get(each.name, ""))
            if each.kind == "model" and value:
                found[value] = str(store.model(value).folder)
    return found


def measure_job(work: Work) -> MeasureJob:
    """Measure one variant; what is measured once is asked for in its first round."""
    sizes = work.phase.batch_sizes
    builds = {size: work.build(size) for size in sizes}
    opening = work.phase.round == work.variant.first_round and work.phase.slot == OPENING
    extras: tuple[str, ...] = ("parity", "accuracy", "memory") if opening else ()
    if opening and work.workload.sweep and sizes[0] == work.workload.batch_sizes[0]:
        extras = (*extras, "sweep")
    dynamic = not work.variant.variant.recipe.static and not compiles(work.variant)
    artifacts = {size: artifact_of(each) for size, each in builds.items()}
    if dynamic:
        artifacts[DYNAMIC] = artifact_of(builds[sizes[0]])
    return MeasureJob(
        spec=work.state.comparison.spec,
        artifacts=artifacts,
        runtime=work.variant.variant.recipe.runtime,
        workload=work.workload,
        batch_sizes=sizes,
        round=work.phase.round,
        position=work.position,
        reference=work.left_by("reference"),
        prepared=work.left_by("prepare"),
        cache=str(builds[sizes[0]].details.get("cache", "")),
        extras=extras,
    )


def artifact_of(build: BuildResult) -> str:
    """The folder of what was built; raises BadInput when it was removed since."""
    folder = str(build.details.get("artifact", ""))
    if not folder or not Path(folder).exists():
        raise BadInput("What was built for this variant is no longer there.", "Retry it: it is then built again.")
    return folder


def profile_job(work: Work) -> ProfileJob:
    """Look at one variant up close."""
    size = work.phase.batch_sizes[0]
    build = work.build(size)
    return ProfileJob(
        spec=work.state.comparison.spec,
        artifact=artifact_of(build),
        runtime=work.variant.variant.recipe.runtime,
        workload=work.workload,
        batch_size=size,
        model=str(work.state.comparison.model_folder),
        cache=str(build.details.get("cache", "")),
    )


def environment_of(workload: Workload, kind: str) -> dict[str, str]:
    """What a worker finds in its environment: bounded threads, GPUs counted as NVML counts them.

    What builds may start Inductor's pool of compiling processes; what is timed must not have them
    beside it, and finds its kernels in a cache.
    """
    found = thread_environment(threads_for(workload.threads))
    if kind != "build":
        found["TORCHINDUCTOR_COMPILE_THREADS"] = "1"
    return {**found, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"} if workload.device.startswith("cuda") else found
