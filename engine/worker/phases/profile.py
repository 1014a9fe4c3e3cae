"""One variant up close: time per layer or kernel, what was fused, launches, arithmetic against the limit."""

from __future__ import annotations

import traceback
from pathlib import Path
from statistics import median
from typing import Any

from engine.analysis import fusion as fusing
from engine.analysis.roofline import Work, roof
from engine.artifact import Artifact, read_manifest
from engine.errors import OptibenchError
from engine.feeds import random_feeds
from engine.measure import clock, cores
from engine.measure.nvml import Gpu
from engine.measure.opening import open_session, runtime_for
from engine.measure.plain import plain
from engine.profiling import profile
from engine.profiling.ceilings import ceilings
from engine.profiling.operations import count
from engine.spec import ModelSpec
from engine.worker.jobs import ProfileJob
from engine.worker.preloading import preload
from engine.worker.protocol import Reporter

WARM_UP_CALLS, WARM_UP_SECONDS = 5, 0.2
TIMED_CALLS, TIMED_SECONDS = 10, 0.2


def run(job: ProfileJob, report: Reporter) -> dict[str, Any]:
    """Carry out the phase; see ProfileJob. What one part can't tell is a note, not an error."""
    preload(job.artifact, job.runtime)
    report.await_turn()
    spec = job.spec.with_shapes(job.workload.shapes)
    artifact = read_manifest(Path(job.artifact))
    runtime = runtime_for(job.runtime, artifact, spec, job.workload.device)
    precision = runtime.precision(artifact.precision, job.workload.device)
    report(0.1, "Opening")
    folder, cache = report.folder, Path(job.cache) if job.cache else report.folder / "cache"
    threads = cores.threads_for(job.workload.threads)
    session = open_session(
        runtime, artifact, spec, job.workload, batch_size=job.batch_size, threads=threads, folder=folder, cache=cache
    )
    try:
        session.bind(random_feeds(spec, job.batch_size, job.workload.seed))
        report(0.3, "Warming up")
        clock.warm_up(session, WARM_UP_CALLS, WARM_UP_SECONDS)
        latency = clock.resident(session, seconds=TIMED_SECONDS, calls=TIMED_CALLS)
        report(0.5, "Profiling")
        found = profile(session)
    finally:
        session.close()
    found["latency_ms"] = median(latency.samples_ns) / 1e6
    found["batch_size"] = job.batch_size
    found["notes"] = list(found.get("notes", ()))
    add_fusion(found)
    report(0.8, "Arithmetic and bandwidth")
    add_roofline(found, job, artifact, spec, precision, cache.parent)
    value: dict[str, Any] = plain(found)
    return value


def add_fusion(found: dict[str, Any]) -> None:
    """Say which original layers each layer came from, how many there were and how many are left."""
    layers = found.get("layers") or []
    if not layers:
        return
    for each in layers:
        each["origin"] = list(fusing.origin_of(each))
    fused = fusing.fusion(layers, found.get("layers_before"))
    found["layers_before"] = fused.before
    found["layers_after"] = found.get("layers_after") or fused.after
    found["precisions"] = fusing.precisions(layers)


def add_roofline(
    found: dict[str, Any], job: ProfileJob, artifact: Artifact, spec: ModelSpec, precision: str, cache: Path
) -> None:
    """Compare the latency with what this device must take at least."""
    work = work_of(artifact, job, spec, found["notes"])
    if work is None:
        return
    device = job.workload.device
    limits = ceilings(device, cache, Gpu(device).facts()["name"] if device != "cpu" else f"cpu-{job.workload.threads}")
    reached = roof(work, limits, precision, job.batch_size, found["latency_ms"])
    found["roofline"] = {
        "work": {"flops": work.flops, "weights": work.weights, "io_bytes": work.io_bytes},
        "ceilings": limits,
        "precision": precision,
        "fraction": reached.fraction if reached else None,
        "limit_ms": reached.limit_ms if reached else None,
        "bound": reached.bound if reached else None,
        "tflops": reached.tflops if reached else None,
        "gigabytes_per_s": reached.gigabytes_per_s if reached else None,
        "intensity": reached.intensity if reached else None,
    }
    if reached is None:
        found["notes"].append(f"This device's limit at {precision.upper()} is not known.")


def work_of(artifact: Artifact, job: ProfileJob, spec: ModelSpec, notes: list[str]) -> Work | None:
    """The work of the artifact itself; where it can't be counted, of the uploaded model, with a note."""
    try:
        work = count(artifact, spec)
        if work is None and job.model:
            work = count(read_manifest(Path(job.model)), spec)
            if work is not None:
                notes.append("Arithmetic is that of the uploaded model, not of what compression left.")
    except OptibenchError as error:
        traceback.print_exc()
        notes.append(str(error))
        return None
    if work is None:
        notes.append("The arithmetic of this format can't be counted.")
    return work
