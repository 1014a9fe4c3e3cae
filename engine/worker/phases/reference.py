"""Run the uploaded model as it is, twice, and keep what every variant is compared with."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.artifact import Artifact, read_manifest
from engine.data.prepared import Prepared, load
from engine.errors import BadInput, OptibenchError, PhaseFailed, Unsupported, first_line
from engine.formats import all_formats
from engine.measure import accuracy, reference_file
from engine.measure.cores import threads_for
from engine.measure.inputs import verification_calls
from engine.measure.opening import closing, open_session, runtime_for
from engine.measure.outputs import is_constant, joined
from engine.measure.scores import agreement, scores_index
from engine.measure.sequence import Feeds, Outputs, drive, output_names
from engine.runtimes.base import Session
from engine.spec import ModelSpec, Use
from engine.worker.jobs import ReferenceJob
from engine.worker.protocol import Reporter

STOCHASTIC = 1e-5


@dataclass(frozen=True)
class Reference:
    """What one batch size gave: the calls' feeds and outputs, and how the second run differed."""

    feeds: list[Feeds]
    outputs: Outputs
    spread: list[float]
    own_agreement: float | None


def run(job: ReferenceJob, report: Reporter) -> dict[str, Any]:
    """Carry out the phase; see ReferenceJob."""
    folder = Path(job.folder)
    spec = job.spec.with_shapes(job.workload.shapes)
    artifact = read_manifest(Path(job.model))
    use = job.runtime or reference_use(artifact)
    runtime = runtime_for(use, artifact, spec, job.workload.device)
    data = load(job.prepared).split("test") if job.prepared else None

    def opened(batch_size: int) -> Session:
        return open_session(
            runtime,
            artifact,
            spec,
            job.workload,
            batch_size=batch_size,
            threads=threads_for(job.workload.threads),
            folder=folder,
            cache=folder / "cache",
        )

    arrays, facts = every_batch(job, report, opened, spec, data)
    if data is not None:
        report(0.95, "Reference on the test data")
        facts |= judge_data(opened, job, spec, data, arrays, facts)
    facts |= summary(facts, use, data)
    reference_file.write(folder, arrays, facts)
    return facts


def every_batch(
    job: ReferenceJob, report: Reporter, opened: Callable[[int], Session], spec: ModelSpec, data: Prepared | None
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Run each batch size; one that the model can't take is told, and the first error raised if none can."""
    arrays: dict[str, np.ndarray] = {}
    facts: dict[str, Any] = {"batches": {}, "skipped": {}}
    first_error: Exception | None = None
    workload = job.workload
    for number, batch_size in enumerate(workload.batch_sizes):
        if report.cancelled():
            raise PhaseFailed("cancelled", "Cancelled.", "Run the comparison again.")
        report(number / len(workload.batch_sizes), f"Reference at batch size {batch_size}")
        try:
            calls = verification_calls(spec, batch_size, workload.verify_samples, workload.seed, data)
            found = twice(opened, spec, batch_size, calls)
        except Exception as error:  # whatever a library raises is what this batch size has to say
            first_error = first_error or error
            traceback.print_exception(error)
            facts["skipped"][str(batch_size)] = str(error) if isinstance(error, OptibenchError) else first_line(error)
            continue
        arrays |= reference_file.batch_arrays(batch_size, found.feeds, found.outputs)
        facts["batches"][str(batch_size)] = batch_facts(spec, found)
    if not facts["batches"]:
        raise first_error or BadInput("The workload has no batch size.", "Choose at least one.")
    return arrays, facts


def reference_use(artifact: Artifact) -> Use:
    """The runtime that the upload's format is compared in."""
    found = all_formats().get(artifact.format)
    if found is None or found.reference is None:
        raise Unsupported(
            f"There is no reference runtime for {artifact.format}.", "Upload the model this was made from."
        )
    return found.reference


def twice(opened: Callable[[int], Session], spec: ModelSpec, batch_size: int, calls: list[Feeds]) -> Reference:
    """Run the same calls two times, each as if freshly loaded."""
    with closing(opened(batch_size)) as session:
        outputs, feeds = drive(session, spec, calls)
        session.reset()
        again, _ = drive(session, spec, calls)
    spread = [own_spread(mine, theirs) for mine, theirs in zip(outputs.calls, again.calls, strict=True)]
    index = scores_index(spec, outputs.first)
    own = None
    if index is not None and max(spread) > STOCHASTIC:
        own = agreement(joined(outputs.calls[index]), joined(again.calls[index]))
    return Reference(feeds, outputs, spread, own)


def own_spread(first: tuple[np.ndarray, ...], second: tuple[np.ndarray, ...]) -> float:
    """The relative L2 distance of two runs of one output; 1 where even the shapes differ."""
    if any(mine.shape != theirs.shape for mine, theirs in zip(first, second, strict=True)):
        return 1.0
    mine, theirs = joined(first), joined(second)
    if not np.issubdtype(mine.dtype, np.floating):
        return float(np.mean(mine != theirs)) if mine.size else 0.0
    usable = np.isfinite(mine) & np.isfinite(theirs)
    size = float(np.linalg.norm(mine[usable].astype(np.float64)))
    distance = float(np.linalg.norm(mine[usable].astype(np.float64) - theirs[usable]))
    return distance / size if size else float(distance > 0)


def batch_facts(spec: ModelSpec, found: Reference) -> dict[str, Any]:
    """What is known about the reference's outputs at one batch size."""
    every = [joined(each) for each in found.outputs.calls]
    return {
        "calls": len(found.feeds),
        "outputs": output_names(spec, len(every)),
        "spread": found.spread,
        "own_agreement": found.own_agreement,
        "constant": [bool(is_constant(each)) for each in every],
        "finite": [each.dtype.kind not in "fc" or bool(np.all(np.isfinite(each))) for each in every],
        "scores": scores_index(spec, found.outputs.first),
    }


def judge_data(
    opened: Callable[[int], Session],
    job: ReferenceJob,
    spec: ModelSpec,
    data: Prepared,
    arrays: dict[str, np.ndarray],
    facts: dict[str, Any],
) -> dict[str, Any]:
    """Keep the reference's class of every test sample; say why where there is none."""
    largest = max(int(each) for each in facts["batches"])
    if facts["batches"][str(largest)]["scores"] is None:
        return {"accuracy_reason": "The model has no class scores, so accuracy means nothing for it."}
    try:
        with closing(opened(largest)) as session:
            scored = accuracy.score(session, spec, largest, data, seed=job.workload.seed)
        arrays[reference_file.PREDICTIONS] = accuracy.predictions(scored, len(data))
        if data.labels is not None:
            accuracy.check_labels(data.labels, scored.scores)
    except BadInput as error:
        return {"accuracy_reason": str(error)}
    return {}


def summary(facts: dict[str, Any], use: Use, data: Prepared | None) -> dict[str, Any]:
    """The facts over all batch sizes: evidence, spread, notes in words."""
    batches = facts["batches"].values()
    spread = max(max(each["spread"]) for each in batches)
    constant = all(all(each["constant"]) for each in batches)
    finite = all(all(each["finite"]) for each in batches)
    notes = []
    if data is None:
        notes.append("Verified on seeded random inputs: weak evidence. Choose a data set for strong evidence.")
    if spread > STOCHASTIC:
        notes.append(f"The model is stochastic: it differs from itself by {spread:.2g} (relative L2).")
    if constant:
        notes.append("The outputs are constant or nearly zero on these inputs, so parity can't be judged.")
    if not finite:
        notes.append("The model itself gives NaN or infinite values on these inputs.")
    notes.extend(f"Batch size {size}: {reason}" for size, reason in facts["skipped"].items())
    return {
        "evidence": "none" if constant else "random" if data is None else "data",
        "stochastic": spread > STOCHASTIC,
        "spread": spread,
        "constant": constant,
        "finite": finite,
        "runtime": {"name": use.name, "options": dict(use.options)},
        "dataset": {"name": data.name, "digest": data.digest, "test_samples": len(data)} if data else {},
        "notes": notes,
    }
