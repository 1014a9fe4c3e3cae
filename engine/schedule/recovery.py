"""After a crash: take in what finished, queue again what did not, leave nothing running."""

from __future__ import annotations

import os
import time
from pathlib import Path

import psutil

from engine.schedule.taking import take
from engine.store.phases import MOST_ATTEMPTS
from engine.store.queue import Queue
from engine.store.rows import PhaseRow
from engine.worker.protocol import Outcome, read_result
from engine.worker.turn import held_back


def owner_name(host: str) -> str:
    """Who claims work in this process: `host:pid:start`, which no later process shares."""
    return f"{host}:{os.getpid()}:{psutil.Process().create_time():.2f}"


def owner_lives(owner: str, host: str) -> bool:
    """Whether the process that claimed something on this host is still the same one."""
    claimed, pid, started = owner.rsplit(":", 2)
    if claimed != host:
        return False
    try:
        return f"{psutil.Process(int(pid)).create_time():.2f}" == started
    except psutil.NoSuchProcess:
        return False


def recover(queue: Queue) -> None:
    """Settle every phase that says it is running although its owner is gone or its lease ran out."""
    for phase in queue.abandoned():
        if owner_lives(phase.lease_owner, queue.host) and phase.lease_until > time.time():
            continue
        end_worker(phase.folder)
        settle(queue, phase)


def settle(queue: Queue, phase: PhaseRow) -> None:
    """Take in a result that was written, or the part of it that was; else queue the phase again.

    One that was interrupted often is given up, unless it only waited for its turn. Whether one that
    was being cancelled is still wanted is for the plan to say.
    """
    result = read_result(phase.folder)
    taken = take(phase, result) if result is not None else None
    if taken is not None and taken.outcome.status != "cancelled":
        queue.finish(phase, taken)
        return
    interrupted = Outcome("cancelled", {}, "The scheduler ended while this was running.", "It goes on by itself.")
    part = take(phase, interrupted)
    if part.measurements:
        queue.finish(phase, part)
    elif phase.attempts >= MOST_ATTEMPTS and not held_back(phase.folder):
        reason = f"It was interrupted {phase.attempts} times, each time together with the scheduler."
        queue.finish(phase, take(phase, Outcome("crashed", {}, reason, "Look into its log, then retry it.")))
    else:
        queue.requeue(phase)


def end_worker(folder: Path) -> None:
    """Kill a worker that outlived the scheduler which started it, with all its children."""
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if str(folder) in command and "engine.worker" in command:
            for each in [*children(process), process]:
                try:
                    each.kill()
                except psutil.NoSuchProcess:
                    continue


def children(process: psutil.Process) -> list[psutil.Process]:
    """Everything a process started; nothing when it is gone already."""
    try:
        found: list[psutil.Process] = process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return found
