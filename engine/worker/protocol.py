"""What a worker and its parent say to each other, in files of the job's folder.

`job.json` goes in; `events.jsonl` grows while the worker runs; `result.json` appears by an atomic
rename; `log.txt` holds everything the libraries printed, and tracebacks.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.spec import Status, from_json, to_json
from engine.worker.jobs import JOBS, Job
from engine.worker.turn import await_turn

JOB, EVENTS, RESULT, LOG, CANCEL = "job.json", "events.jsonl", "result.json", "log.txt", "cancel"


@dataclass(frozen=True)
class Event:
    """One sign of progress: `fraction` 0 to 1 or None, `data` for curves and early results."""

    time: float
    text: str = ""
    fraction: float | None = None
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How a phase ended. `value` is what the phase's job documents; it may be there in part."""

    status: Status
    value: dict[str, Any] = field(default_factory=dict)
    reason: str = ""
    hint: str = ""
    seconds: float = 0.0
    startup_s: float = 0.0
    command: str = ""


class Reporter:
    """Writes a worker's events. `began` is when its work began: the turn it waited for is not part of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.began = time.monotonic()
        self.stream = (folder / EVENTS).open("a", buffering=1)

    def __call__(self, fraction: float | None = None, text: str = "", **data: Any) -> None:
        self.stream.write(json.dumps(to_json(Event(time.time(), text, fraction, data))) + "\n")

    def await_turn(self) -> None:
        """Say that everything is imported, and wait until the parent lets this worker go on.

        Leaves without a result when the parent died instead: somebody else will do this phase.
        """
        self(None, "Waiting for its turn", ready=True)
        if not await_turn(self.folder):
            raise SystemExit("The scheduler ended before it gave this worker its turn.")
        self.began = time.monotonic()

    def cancelled(self) -> bool:
        """Whether the parent asked this phase to stop by itself."""
        return (self.folder / CANCEL).exists()


def write_job(folder: Path, job: Job) -> None:
    """Write a phase's job file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / JOB).write_text(json.dumps({"phase": job.phase, "payload": to_json(job)}))


def read_job(folder: Path) -> Job:
    """Read a phase's job file."""
    data = json.loads((folder / JOB).read_text())
    job: Job = from_json(JOBS[data["phase"]], data["payload"])
    return job


def write_result(folder: Path, outcome: Outcome) -> None:
    """Write the result so that it is there whole or not at all."""
    partial = folder / f"{RESULT}.{os.getpid()}"
    partial.write_text(json.dumps(to_json(outcome)))
    partial.replace(folder / RESULT)


def read_result(folder: Path) -> Outcome | None:
    """Read the result of a finished phase, or None when there is none."""
    try:
        return from_json(Outcome, json.loads((folder / RESULT).read_text()))
    except FileNotFoundError:
        return None


def read_events(folder: Path, after: int = 0) -> Iterator[Event]:
    """The events from line `after` on; a line still being written is left for the next time."""
    try:
        lines = (folder / EVENTS).read_text().split("\n")
    except FileNotFoundError:
        return
    for line in lines[after:-1]:
        yield from_json(Event, json.loads(line))
