"""Admit an upload and say what it is."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.admission.upload import admitted
from engine.formats import all_formats
from engine.spec import to_json
from engine.worker.jobs import InspectJob
from engine.worker.protocol import Reporter

LOOK_S = 0.1


def run(job: InspectJob, report: Reporter) -> dict[str, Any]:
    """Carry out the phase; the folder holds a whole artifact afterwards, or nothing."""
    report(0.0, "Checking the file")
    with leaving_when_cancelled(report), admitted(job, report) as artifact:
        given = {"shapes": job.shapes, "constants": job.constants}
        told = replace(artifact, details={**artifact.details, "given": given})
        spec = all_formats()[artifact.format].inspect(told, report)
        report(0.9, "Storing it")
    name = job.name or Path(job.path).stem or job.architecture
    spec = replace(spec, name=name, notes=(*artifact.details.get("notes", ()), *spec.notes))
    return {"spec": to_json(spec), "artifact": job.folder}


@contextmanager
def leaving_when_cancelled(report: Reporter) -> Iterator[None]:
    """End this process as soon as the user cancels: nothing of a file read in part is worth keeping."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(LOOK_S):
            if report.cancelled():
                os._exit(1)

    threading.Thread(target=look, daemon=True).start()
    try:
        yield
    finally:
        over.set()
