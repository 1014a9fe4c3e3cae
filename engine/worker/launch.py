"""Start a worker, wait for it, and turn every way it can end into an Outcome."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from engine.errors import MissingDependency
from engine.worker.jobs import Job
from engine.worker.protocol import CANCEL, LOG, RESULT, Event, Outcome, read_events, read_result, write_job
from engine.worker.sandbox import cache_environment, mentioned, wrap

GRACE_S = 5.0
ROOT = Path(__file__).resolve().parents[2]


def launch(
    job: Job,
    folder: Path,
    *,
    timeout_s: float = 900.0,
    on_event: Callable[[Event], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    environment: dict[str, str] | None = None,
    writable: tuple[Path, ...] = (),
    readable: tuple[Path, ...] = (),
) -> Outcome:
    """Carry out one phase in a fresh process and wait for it.

    The folder keeps job, events, log and result. The sandbox lets the worker write there, to the
    folders the job names and to `writable`; `readable` is what it may see of a private /tmp besides.
    Never raises for anything the worker did.
    """
    write_job(folder, job)
    arguments = [sys.executable, "-m", "engine.worker", str(folder)]
    command = shlex.join(["cd", str(ROOT)]) + " && " + shlex.join(arguments)
    began = time.monotonic()
    outputs, inputs = mentioned(job)
    try:
        isolated = wrap(arguments, writable=(folder, *outputs, *writable), readable=(*inputs, *readable))
    except MissingDependency as error:
        return Outcome("failed", {}, error.reason, error.hint, command=command)
    with (folder / LOG).open("ab") as log:
        process = subprocess.Popen(
            isolated,
            cwd=ROOT,
            env={
                **cache_environment(),
                **os.environ,
                "OPTIBENCH_PARENT": str(os.getpid()),
                "PYTHONUNBUFFERED": "1",
                **(environment or {}),
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        ended = wait(process, folder, began + timeout_s, on_event, cancelled)
    seconds = time.monotonic() - began
    result = read_result(folder)
    if result is None:
        result = judge(ended, process.returncode, timeout_s)
    startup = max(0.0, seconds - result.seconds) if result.seconds else 0.0
    return Outcome(result.status, result.value, result.reason, result.hint, seconds, startup, command)


def wait(
    process: subprocess.Popen[bytes],
    folder: Path,
    deadline: float,
    on_event: Callable[[Event], None] | None,
    cancelled: Callable[[], bool] | None,
) -> str:
    """Follow a worker to its end; returns `exited`, `timeout` or `cancelled`."""
    seen = 0
    asked_at: float | None = None
    pause = 0.01
    while True:
        running = process.poll() is None
        for event in read_events(folder, seen):
            seen += 1
            if on_event:
                on_event(event)
        if not running or (folder / RESULT).exists():
            finish(process)
            return "cancelled" if asked_at and not (folder / RESULT).exists() else "exited"
        now = time.monotonic()
        if now > deadline:
            kill(process)
            return "timeout"
        if cancelled and asked_at is None and cancelled():
            asked_at = now
            (folder / CANCEL).touch()
        if asked_at is not None and now > asked_at + GRACE_S:
            kill(process)
            return "cancelled"
        try:
            process.wait(pause)
        except subprocess.TimeoutExpired:
            pause = min(pause * 1.5, 0.1)


def finish(process: subprocess.Popen[bytes]) -> None:
    """Let a worker that has written its result leave; help it after a while."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_S)
    kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a worker and everything it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def judge(ended: str, code: int | None, timeout_s: float) -> Outcome:
    """Say how a worker ended that left no result."""
    if ended == "timeout":
        return Outcome(
            "timeout",
            {},
            f"The phase did not finish within {timeout_s:.0f} s.",
            "Raise the time limit of the workload.",
        )
    if ended == "cancelled":
        return Outcome("cancelled", {}, "Cancelled.", "Retry it from the Runs page.")
    if code is not None and code in (-signal.SIGKILL, 128 + signal.SIGKILL):
        return Outcome(
            "oom",
            {},
            "The worker was killed from outside, most often because the host's memory ran out.",
            "Try a smaller batch size, or free memory and retry.",
        )
    if code is not None and (code < 0 or code > 128):
        number = -code if code < 0 else code - 128
        name = signal.Signals(number).name if number in {each.value for each in signal.Signals} else str(number)
        return Outcome(
            "crashed",
            {},
            f"The worker process died with {name}.",
            "The log has its last words; the command reproduces it.",
        )
    return Outcome(
        "crashed", {}, f"The worker left without a result (exit code {code}).", "The log has its last words."
    )
