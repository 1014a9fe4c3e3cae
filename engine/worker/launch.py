"""Start a worker, wait for it, and turn every way it can end into an Outcome."""

from __future__ import annotations

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
from engine.worker.protocol import LOG, Event, Outcome, read_result, write_job
from engine.worker.sandbox import cache_environment, mentioned, wrap
from engine.worker.turn import Turn
from engine.worker.watch import Watch, kill

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
    turn: Turn | None = None,
) -> Outcome:
    """Carry out one phase in a fresh process and wait for it.

    The folder keeps job, events, log and result. The sandbox lets the worker write there, to the
    folders the job names and to `writable`; `readable` is what it may see of a private /tmp besides.
    With a `turn`, the worker imports its libraries and waits for it; `seconds` count from there.
    Never raises for anything the worker did.
    """
    write_job(folder, job)
    arguments = [sys.executable, "-m", "engine.worker", str(folder)]
    command = shlex.join(["cd", str(ROOT)]) + " && " + shlex.join(arguments)
    outputs, inputs = mentioned(job)
    try:
        isolated = wrap(arguments, writable=(folder, *outputs, *writable), readable=(*inputs, *readable))
    except MissingDependency as error:
        return Outcome("failed", {}, error.reason, error.hint, command=command)
    watch = Watch(folder, timeout_s, on_event, cancelled, turn)
    if turn is not None:
        turn.hold(folder)
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
        try:
            ended = watch.follow(process)
        except BaseException:  # Ctrl-C, or a database that is gone: nothing may go on unwatched
            kill(process)
            raise
    seconds = time.monotonic() - watch.began
    result = read_result(folder)
    if result is None:
        result = judge(ended, process.returncode, timeout_s)
    startup = max(0.0, seconds - result.seconds) if result.seconds else 0.0
    return Outcome(
        result.status, result.value, result.reason, result.hint, seconds, startup + watch.held_back_s, command
    )


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
