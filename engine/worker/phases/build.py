"""The build phase: carry out a route step by step, taking from the store what was built before.

The value is a BuildResult, also when a step fails: its status, reason, hint and `failing_step` say
what happened, and `steps` holds every step that was carried out. Events carry `data={"step": name}`,
so that a worker that dies is known to have died in that step; a step's first also says how many
steps are `behind` it.
"""

from __future__ import annotations

import shutil
import time
import traceback
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import filelock

from engine.artifact import Artifact, read_manifest
from engine.errors import OptibenchError, OutOfMemory, StepFailed, first_line
from engine.measurement import BuildResult
from engine.spec import ModelSpec, Status, Use, to_json
from engine.steps import step_for
from engine.steps.base import Step
from engine.store.artifacts import PAYLOAD, ArtifactStore, content_digest, key_of
from engine.worker.context import BuildContext, uses_digests, workload_spec
from engine.worker.explaining import is_out_of_memory
from engine.worker.jobs import BuildJob
from engine.worker.protocol import Reporter

LOCK_POLL_S = 1.0


@dataclass
class Build:
    """One route under way: its job, its store and what was done so far."""

    job: BuildJob
    spec: ModelSpec
    store: ArtifactStore
    report: Reporter
    records: list[dict[str, Any]] = field(default_factory=list)
    current: str = ""


def run(job: BuildJob, report: Reporter) -> dict[str, Any]:
    """Build the route's artifact; returns a BuildResult as plain data."""
    build = Build(job, workload_spec(job), ArtifactStore(Path(job.store)), report)
    try:
        result = carry_out(build)
    except Exception as error:  # whatever a step or a library raises becomes a status, a reason and a hint
        traceback.print_exc()
        known = explained(error, build.current)
        result = BuildResult(
            status=status_of(known),
            reason=known.reason,
            hint=known.hint,
            steps=tuple(build.records),
            failing_step=build.current,
        )
    return dict(to_json(result))


def carry_out(build: Build) -> BuildResult:
    """Every step of the route, then the compiler cache of a runtime that compiles, then the sizes."""
    job = build.job
    source = read_manifest(Path(job.model))
    artifact = replace(source, key=content_digest(source))
    steps = [plugin(use, format) for use, format in zip(job.route, job.formats, strict=False)]
    keys = route_keys(build, artifact, steps)
    done, artifact = longest_prefix(build.store, keys, artifact)
    for index, step in enumerate(steps):
        build.current = step.name
        if index < done:
            build.records.append(recalled(build.store, step, keys[index]))
        else:
            part = (index / len(steps), (index + 1) / len(steps))
            build.report(part[0], step.title or step.name, step=step.name, behind=index)
            artifact = one_step(build, step, artifact, keys[index], part)
    build.current = ""
    build.report(behind=len(steps))
    details: dict[str, Any] = {**artifact.details, "artifact": str(folder_of(build, artifact, bool(steps)))}
    if job.runtime is not None:
        from engine.worker.compiling import fill_cache

        build.current = job.runtime.name
        fill_cache(build, artifact, details)
        build.current = ""
    build.report(1.0, "Counting bytes")
    return BuildResult(
        status="ok",
        key=artifact.key,
        build_s=sum(each["seconds"] for each in build.records),
        cached=all(each["cached"] for each in build.records),
        sizes=build.store.sizes(artifact),
        steps=tuple(build.records),
        details=details,
    )


def folder_of(build: Build, artifact: Artifact, built: bool) -> Path:
    """The folder with the artifact's manifest: in the store, or the upload itself when there are no steps."""
    return build.store.folder(artifact.key) if built else Path(build.job.model)


def plugin(use: Use, format: str) -> Step:
    """The step that carries out one use on a format; raises StepFailed when it is gone."""
    found = step_for(use.name, format)
    if found is None:
        raise StepFailed(f"There is no step {use.name} for {format}.", "Plan the comparison again.")
    return found.from_options(use.options)


def route_keys(build: Build, source: Artifact, steps: list[Step]) -> list[str]:
    """The key of what each step gives: known before anything is built."""
    keys: list[str] = []
    for step, format in zip(steps, build.job.formats, strict=False):
        uses = uses_digests(step, build.job, build.spec)
        keys.append(key_of(step, format=format, source=keys[-1] if keys else source.key, uses=uses))
    return keys


def longest_prefix(store: ArtifactStore, keys: list[str], source: Artifact) -> tuple[int, Artifact]:
    """How many steps are already built, and the last of their artifacts; only that one is verified."""
    for count in range(len(keys), 0, -1):
        found = store.get(keys[count - 1])
        if found is not None and all(store.manifest(key) for key in keys[: count - 1]):
            return count, found
    return 0, source


def recalled(store: ArtifactStore, step: Step, key: str) -> dict[str, Any]:
    """The record of a step that was carried out before."""
    manifest = store.manifest(key) or {}
    return {**manifest.get("record", {"name": step.name, "seconds": 0.0}), "cached": True}


def one_step(build: Build, step: Step, source: Artifact, key: str, part: tuple[float, float]) -> Artifact:
    """Carry out one step, or take what another process has built in the meantime."""
    with waiting(build, key, part[0], step):
        found = build.store.get(key)
        if found is not None:
            build.records.append(recalled(build.store, step, key))
            return found
        return carry_out_step(build, step, source, key, part)


def waiting(build: Build, key: str, fraction: float, step: Step) -> filelock.AcquireReturnProxy:
    """The key's lock, held until the `with` block ends; says so while another variant builds the same thing."""
    lock = build.store.lock(key)
    while True:
        try:
            return lock.acquire(timeout=LOCK_POLL_S)
        except filelock.Timeout:
            build.report(fraction, f"{step.title or step.name}: another variant is building the same", step=step.name)
            if build.report.cancelled():
                raise Cancelled() from None


class Cancelled(OptibenchError):
    """The user asked this build to stop."""

    status = "cancelled"

    def __init__(self) -> None:
        super().__init__("Cancelled.", "Retry it from the Runs page.")


def carry_out_step(build: Build, step: Step, source: Artifact, key: str, part: tuple[float, float]) -> Artifact:
    """Apply one step in a fresh folder and move what it made into the store."""
    if build.report.cancelled():
        raise Cancelled()
    folder = build.store.new_build(key)
    context = BuildContext(step, build.job, build.spec, folder / PAYLOAD, build.report, build.store, key, part)
    context.progress(0.0)
    began = time.monotonic()
    try:
        made = step.apply(source, context)
        made = with_warnings(made, source, context.warnings)
        record = record_of(step, made, source, time.monotonic() - began, context.warnings)
        if build.report.cancelled():
            raise Cancelled()
        artifact = build.store.put(key, folder, made, record)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    build.records.append({**record, "cached": False})
    return artifact


def with_warnings(made: Artifact, source: Artifact, warnings: list[str]) -> Artifact:
    """The artifact with the warnings of every step so far."""
    everything = [*source.details.get("warnings", ()), *made.details.get("warnings", ()), *warnings]
    return replace(made, details={**made.details, "warnings": list(dict.fromkeys(everything))})


def record_of(step: Step, made: Artifact, source: Artifact, seconds: float, warnings: list[str]) -> dict[str, Any]:
    """What a step's run is remembered by: shown for the variant and kept with the artifact."""
    report = made.details.get("report")
    return {
        "name": step.name,
        "title": step.title or step.name,
        "options": step.options(),
        "format": made.format,
        "precision": made.precision,
        "seconds": seconds,
        "warnings": list(warnings),
        "report": report if report is not source.details.get("report") else None,
        "libraries": step.library_versions(),
    }


def explained(error: Exception, where: str) -> OptibenchError:
    """An exception as one sentence and a next step."""
    if isinstance(error, OptibenchError):
        return error
    if is_out_of_memory(error):
        return OutOfMemory(
            f"Memory ran out in {where or 'the build'}: {first_line(error)}.", "Try a smaller batch size."
        )
    return StepFailed(
        f"{where or 'The build'} failed: {type(error).__name__}: {first_line(error)}.",
        "The log has the details; the command reproduces it.",
    )


def status_of(error: OptibenchError) -> Status:
    """The status that an error ends a build with."""
    status: Status = error.status  # type: ignore[assignment]
    return status
