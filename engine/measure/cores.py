"""CPU cores this process may use: one logical CPU for each physical core, quotas counted."""

from __future__ import annotations

import math
import os
from pathlib import Path

TOPOLOGY = "/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"
QUOTAS = (Path("/sys/fs/cgroup/cpu.max"), Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"))
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def allowed() -> list[int]:
    """The logical CPUs this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def quota() -> int | None:
    """How many CPUs the container's quota allows, rounded up, or None when there is none."""
    modern, legacy = QUOTAS
    try:
        if modern.exists():
            limit, period = modern.read_text().split()[:2]
            return None if limit == "max" else max(1, math.ceil(int(limit) / int(period)))
        if legacy.exists():
            share = int(legacy.read_text())
            period_us = int(legacy.with_name("cpu.cfs_period_us").read_text())
            return None if share <= 0 else max(1, math.ceil(share / period_us))
    except (OSError, ValueError):  # a quota that can't be read is treated as none
        return None
    return None


def physical() -> list[int]:
    """One allowed logical CPU for each physical core, at most as many as the quota allows."""
    chosen: list[int] = []
    seen: set[str] = set()
    for cpu in allowed():
        path = Path(TOPOLOGY.format(cpu=cpu))
        core = path.read_text().strip() if path.exists() else str(cpu)
        if core not in seen:
            seen.add(core)
            chosen.append(cpu)
    return chosen[: quota() or len(chosen)]


def threads_for(wanted: int) -> int:
    """The number of threads to use: what is wanted, or all physical cores for 0."""
    return wanted if wanted > 0 else len(physical())


def thread_environment(threads: int) -> dict[str, str]:
    """The variables that bound the thread pools of numeric libraries, read when they are loaded."""
    return {name: str(threads) for name in THREAD_VARIABLES}


def pin(threads: int) -> list[int]:
    """Bind this process, and what it starts, to `threads` physical cores; returns the CPUs.

    More threads than cores are not pinned, because they would share them.
    """
    cores = physical()
    if threads > len(cores) or not hasattr(os, "sched_setaffinity"):
        return []
    os.sched_setaffinity(0, cores[:threads])
    return cores[:threads]
