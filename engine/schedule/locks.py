"""File locks: one scheduler for each database on a host, one measurement at a time on each device."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

import filelock

from engine.settings import Settings

ANYONE = 0o666


def scheduler_lock(settings: Settings) -> filelock.BaseFileLock:
    """The lock that the one scheduler of this database holds while it lives."""
    digest = hashlib.sha256(settings.database_url.encode()).hexdigest()[:12]
    return filelock.FileLock(settings.home / f"scheduler-{digest}.lock")


def scheduler_is_running(settings: Settings) -> bool:
    """Whether some process holds the scheduler's lock."""
    lock = scheduler_lock(settings)
    try:
        with lock.acquire(timeout=0):
            return False
    except filelock.Timeout:
        return True


def device_lock(device: str) -> filelock.BaseFileLock:
    """The lock of one device of this host, shared by all schedulers and homes on it."""
    folder = Path(os.environ.get("OPTIBENCH_LOCKS") or Path(tempfile.gettempdir()) / "optibench-locks")
    folder.mkdir(parents=True, exist_ok=True)
    if folder.stat().st_uid == os.getuid():
        folder.chmod(0o1777)
    return filelock.FileLock(folder / f"{device_name(device)}.lock", mode=ANYONE)


def device_name(device: str) -> str:
    """What the lock is called: `cpu` for the machine, a GPU by its UUID."""
    kind, _, index = device.partition(":")
    if kind != "cuda":
        return "cpu"
    return gpu_uuid(int(index or 0)) or f"gpu-{index or 0}"


def gpu_uuid(index: int) -> str | None:
    """The UUID of a GPU as CUDA counts them (in bus order), or None where NVML can't tell."""
    import pynvml

    if "CUDA_VISIBLE_DEVICES" in os.environ:
        visible = [each.strip() for each in os.environ["CUDA_VISIBLE_DEVICES"].split(",")]
        if index >= len(visible) or not visible[index] or visible[index].startswith("-"):
            return None
        if not visible[index].isdigit():
            return visible[index]
        index = int(visible[index])
    try:
        pynvml.nvmlInit()
        try:
            uuid = pynvml.nvmlDeviceGetUUID(pynvml.nvmlDeviceGetHandleByIndex(index))
        finally:
            pynvml.nvmlShutdown()
    except pynvml.NVMLError:
        return None
    return uuid if isinstance(uuid, str) else uuid.decode()
