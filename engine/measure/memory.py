"""Memory while a model runs: a pass of its own, because watching would disturb the clock."""

from __future__ import annotations

import os
import resource
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from engine.measure.nvml import Gpu
from engine.runtimes.base import Session

PASS_CALLS = 10
PASS_S = 1.0
SAMPLING_S = 0.005


@dataclass(frozen=True)
class Memory:
    """Peaks in bytes, None where they can't be known; `method` says how the device's was found."""

    device: int | None
    framework: int | None
    host: int | None
    method: str = ""


def host_peak(process_id: int | None = None) -> int | None:
    """The peak resident memory of a process (this one) in bytes, since it was last forgotten."""
    status = Path(f"/proc/{process_id or os.getpid()}/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    if process_id not in (None, os.getpid()):
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)


def forget_host_peak() -> bool:
    """Let this process's peak start again from what is resident now (Linux); false where it can't be done."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def watch(reading: Callable[[], int | None], work: Callable[[], None]) -> int | None:
    """The largest value of a reading while `work` runs, read every 5 ms from another thread."""
    peak: list[int] = []
    done = threading.Event()

    def sample() -> None:
        while True:
            value = reading()
            if value is not None:
                peak.append(value)
            if done.wait(SAMPLING_S):
                return

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        work()
    finally:
        done.set()
        thread.join()
    last = reading()
    return max([*peak, *([last] if last is not None else [])], default=None)


def measure(session: Session, gpu: Gpu, used_before: int | None) -> Memory:
    """Peaks over a few inferences; what loading and verifying took is not part of them.

    On the device: what NVML lists for the process that does the work; where it does not list it
    (containers), the device's use beyond `used_before`, which was read before anything was loaded.
    """
    forget_host_peak()
    worker = session.process_id

    def work() -> None:
        began = monotonic()
        for number in range(PASS_CALLS):
            session.run()
            session.synchronize()
            if number and monotonic() - began > PASS_S:
                return

    if gpu.handle is None:
        work()
        return Memory(None, session.framework_memory_bytes(), host_peak(worker))
    method = "process"
    peak = None
    if gpu.memory_of(worker) is not None:
        peak = watch(lambda: gpu.memory_of(worker), work)
    if peak is None and used_before is not None:
        method = "growth of the device's use"
        used = watch(gpu.memory_used, work)
        peak = None if used is None else max(0, used - used_before)
    return Memory(peak, session.framework_memory_bytes(), host_peak(worker), method if peak is not None else "")


def room_on_host(before: int) -> str:
    """Why the next doubling of the batch would not fit into the host's memory, or nothing.

    `before` is the process's peak before the sweep; a batch twice as large is taken to need three
    times what the last one added.
    """
    import psutil

    free = int(psutil.virtual_memory().available)
    added = (host_peak() or 0) - before
    if added * 3 > free * 0.8:
        return f"The next batch would need about {added * 3 / 1e9:.1f} GB and {free / 1e9:.1f} GB are free."
    return ""
