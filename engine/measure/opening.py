"""Open an artifact in the runtime that a recipe names, in the place a measuring worker gives it."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.artifact import Artifact
from engine.errors import BadInput, Unsupported
from engine.runtimes import all_runtimes
from engine.runtimes.base import Runtime, Session, Site
from engine.spec import ModelSpec, Use, Workload


def runtime_for(use: Use, artifact: Artifact, spec: ModelSpec, device: str) -> Runtime:
    """The runtime with its options; raises Unsupported when it can't run this here."""
    known = all_runtimes()
    if use.name not in known:
        raise BadInput(f"There is no runtime named {use.name!r}.", f"Runtimes: {', '.join(known)}.")
    runtime = known[use.name].from_options(use.options)
    missing = runtime.missing()
    if missing:
        raise missing
    reason = runtime.check(spec, device)
    if reason:
        raise Unsupported(f"{reason}.")
    if artifact.format not in runtime.formats:
        raise Unsupported(
            f"{runtime.title or runtime.name} does not open {artifact.format}.",
            f"It opens {' or '.join(runtime.formats)}.",
        )
    return runtime


def open_session(
    runtime: Runtime,
    artifact: Artifact,
    spec: ModelSpec,
    workload: Workload,
    *,
    batch_size: int,
    threads: int,
    folder: Path,
    cache: Path,
) -> Session:
    """Load the artifact for one batch size; `folder` is this process's own, `cache` outlives it."""
    scratch = folder / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    cache.mkdir(parents=True, exist_ok=True)
    site = Site(
        device=workload.device,
        threads=threads,
        batch_size=batch_size,
        scratch=scratch,
        cache=cache,
        seed=workload.seed,
    )
    return runtime.open(artifact, spec, site)


@contextmanager
def closing(session: Session) -> Iterator[Session]:
    """Close a session at the end; an error while closing never hides the one that led there."""
    try:
        yield session
    except BaseException:
        try:
            session.close()
        except Exception:  # the GPU may be gone; the log has it, the first error is the one to tell
            traceback.print_exc()
        raise
    session.close()
