"""The hidden last build of a runtime that compiles: its compiler cache is the artifact.

The session is opened once for each batch size with the cache folder that the measure phase gets
later, so the cold compilation is paid and timed here.
"""

from __future__ import annotations

import json
import shutil
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.artifact import Artifact
from engine.feeds import random_feeds
from engine.runtimes import all_runtimes
from engine.runtimes.base import Runtime, Site
from engine.store.artifacts import key_of
from engine.worker.context import device_model, thread_count

if TYPE_CHECKING:
    from engine.worker.phases.build import Build

COMPILED = "compiled.json"


def fill_cache(build: Build, artifact: Artifact, details: dict[str, Any]) -> None:
    """Name the cache folder of this artifact and runtime in `details["cache"]`; compile into it where needed.

    `details["compile_s"]` has the cold seconds of each batch size. A batch size that can't be
    compiled is left to the measure phase, which says so, unless none can be.
    """
    job = build.job
    assert job.runtime is not None
    runtime = all_runtimes()[job.runtime.name].from_options(job.runtime.options)
    threads = thread_count(job.workload.threads)
    uses = {"device": device_model(job.workload.device), "sizes": build.spec.sizes, "threads": threads}
    key = key_of(runtime, format=artifact.format, source=artifact.key, uses=uses)
    folder = build.store.caches / key
    folder.mkdir(exist_ok=True)
    details["cache"] = str(folder)
    if not runtime.compiles:
        return
    alone = job.compile_for or job.batch_size
    batch_sizes = (alone,) if alone is not None else job.workload.batch_sizes
    with build.store.lock(f"cache-{key}-{alone}" if runtime.compiles_apart else f"cache-{key}"):
        compile_all(build, runtime, artifact, batch_sizes, details)


def compile_all(
    build: Build, runtime: Runtime, artifact: Artifact, batch_sizes: Sequence[int], details: dict[str, Any]
) -> None:
    """Compile for every batch size that is not yet in the cache."""
    folder = Path(details["cache"])
    known = read_seconds(folder)
    fresh = [each for each in batch_sizes if str(each) not in known]
    failures: list[Exception] = []
    for index, batch_size in enumerate(fresh):
        text = f"Compiling with {runtime.title or runtime.name} for batch size {batch_size}"
        build.report(index / len(fresh), text, step=runtime.name)
        began = time.monotonic()
        try:
            first_run(build, runtime, artifact, folder, batch_size)
        except Exception as error:  # one batch size that can't be compiled must not cost the others
            traceback.print_exc()
            failures.append(error)
            continue
        known[str(batch_size)] = time.monotonic() - began
        with build.store.lock(f"seconds-{folder.name}"):
            write_seconds(folder, {**read_seconds(folder), **known})
    if failures and not any(str(each) in known for each in batch_sizes):
        raise failures[0]
    seconds = {str(each): known[str(each)] for each in batch_sizes if str(each) in known}
    details["compile_s"] = seconds
    build.records.append(
        {
            "name": runtime.name,
            "title": f"Compile ({runtime.title or runtime.name})",
            "options": runtime.options(),
            "format": artifact.format,
            "precision": artifact.precision,
            "seconds": sum(seconds.values()),
            "warnings": [f"{type(each).__name__}: {each}" for each in failures],
            "report": None,
            "libraries": runtime.library_versions(),
            "cached": not fresh,
        }
    )


def first_run(build: Build, runtime: Runtime, artifact: Artifact, folder: Path, batch_size: int) -> None:
    """Open a session and run it once: this is where the compilation happens."""
    job = build.job
    scratch = folder / f"scratch-{batch_size}"
    scratch.mkdir(exist_ok=True)
    site = Site(
        device=job.workload.device,
        threads=thread_count(job.workload.threads),
        batch_size=batch_size,
        scratch=scratch,
        cache=folder,
        seed=job.workload.seed,
    )
    session = runtime.open(artifact, build.spec, site)
    try:
        session.bind(random_feeds(build.spec, batch_size, job.workload.seed))
        session.run()
        session.synchronize()
    finally:
        session.close()
        shutil.rmtree(scratch, ignore_errors=True)


def read_seconds(folder: Path) -> dict[str, float]:
    """The cold seconds by batch size of what is already in a cache."""
    try:
        found: dict[str, float] = json.loads((folder / COMPILED).read_text())
    except (OSError, ValueError):
        return {}
    return found


def write_seconds(folder: Path, seconds: dict[str, float]) -> None:
    """Remember what is in a cache, whole or not at all."""
    partial = folder / f"{COMPILED}.partial"
    partial.write_text(json.dumps(seconds))
    partial.replace(folder / COMPILED)
