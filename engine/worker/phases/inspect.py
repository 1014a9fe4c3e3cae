"""Admit an upload and say what it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.admission.upload import admitted
from engine.formats import all_formats
from engine.spec import to_json
from engine.worker.jobs import InspectJob
from engine.worker.protocol import Reporter


def run(job: InspectJob, report: Reporter) -> dict[str, Any]:
    """Carry out the phase; the folder holds a whole artifact afterwards, or nothing."""
    report(0.0, "Checking the file")
    with admitted(job) as artifact:
        given = {"shapes": job.shapes, "constants": job.constants}
        told = replace(artifact, details={**artifact.details, "given": given})
        spec = all_formats()[artifact.format].inspect(told, report)
        report(0.9, "Storing it")
    name = job.name or Path(job.path).stem or job.architecture
    spec = replace(spec, name=name, notes=(*artifact.details.get("notes", ()), *spec.notes))
    return {"spec": to_json(spec), "artifact": job.folder}
