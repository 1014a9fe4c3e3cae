"""Verify an opened session against the reference and the data, before it is timed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.artifact import Artifact
from engine.data.prepared import Prepared
from engine.errors import BadInput
from engine.measure import accuracy, reference_file
from engine.measure.parity import Standard, compare
from engine.measure.scores import scores_index
from engine.measure.sequence import drive, output_names
from engine.measurement import Accuracy, Parity
from engine.runtimes.base import Session
from engine.spec import ModelSpec
from engine.worker.jobs import MeasureJob


@dataclass
class Verified:
    """Parity and accuracy where they were asked for; `details` says why one is missing."""

    parity: Parity | None = None
    accuracy: Accuracy | None = None
    details: dict[str, Any] = field(default_factory=dict)


def verify(
    session: Session,
    spec: ModelSpec,
    job: MeasureJob,
    artifact: Artifact,
    batch_size: int,
    *,
    precision: str,
    data: Prepared | None,
) -> Verified:
    """Judge what the job's extras ask for."""
    found = Verified()
    if "parity" in job.extras and job.reference:
        lossy = str(artifact.details.get("lossy", ""))
        found.parity = check_parity(session, spec, Path(job.reference), batch_size, precision, lossy)
    if "accuracy" in job.extras and data is not None:
        session.reset()
        try:
            scored = accuracy.score(session, spec, batch_size, data, seed=job.workload.seed)
            known = reference_file.read_predictions(Path(job.reference)) if job.reference else None
            found.accuracy = accuracy.judge(scored, data.labels, known)
        except BadInput as error:
            found.details["accuracy_reason"] = str(error)
    return found


def check_parity(
    session: Session, spec: ModelSpec, folder: Path, batch_size: int, precision: str, lossy: str
) -> Parity:
    """Compare with the reference on the inputs it was run on; state is fed back anew."""
    facts = reference_file.read_facts(folder)
    batch = facts["batches"].get(str(batch_size))
    if batch is None:
        reason = facts["skipped"].get(str(batch_size), f"The reference was not run at batch size {batch_size}.")
        return Parity(None, evidence="none", precision=precision, reason=reason)
    feeds, expected = reference_file.read_batch(folder, spec, batch_size)
    found, _ = drive(session, spec, feeds)
    standard = Standard(
        precision=precision,
        samples=len(feeds) * batch_size,
        evidence="data" if facts["dataset"] else "random",
        scores=scores_index(spec, expected.first),
        spread=max(batch["spread"]),
        own_agreement=batch["own_agreement"],
        lossy=lossy,
    )
    return compare(expected, found, output_names(spec, len(expected.calls)), standard)
