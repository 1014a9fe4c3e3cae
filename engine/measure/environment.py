"""Where a run was made: MEASURING.md rule 15. Clocks are recorded, never set."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from engine.measure.cores import allowed, physical
from engine.measure.nvml import Gpu
from engine.plugin import installed_version

GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
CPU_INFO = Path("/proc/cpuinfo")
CUDA_WHEELS = ("nvidia-cuda-runtime", "nvidia-cublas", "nvidia-cudnn-cu13", "nvidia-cudnn-cu12")
TRANSFERS = {"resident": "off", "end_to_end": "on"}


def cpu_name() -> str:
    """The processor's name as the system gives it."""
    if CPU_INFO.exists():
        for line in CPU_INFO.read_text().splitlines():
            if line.startswith(("model name", "Hardware", "Model")):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def cpu_facts() -> dict[str, Any]:
    """Name, physical cores and logical CPUs this process may use, memory in bytes."""
    import psutil

    return {
        "name": cpu_name(),
        "cores": len(physical()),
        "logical": len(allowed()),
        "memory_bytes": int(psutil.virtual_memory().total),
        "governor": GOVERNOR.read_text().strip() if GOVERNOR.exists() else None,
    }


def environment(gpu: Gpu, device: str, libraries: dict[str, str], **settings: Any) -> dict[str, Any]:
    """The surroundings of one measurement; `settings` are threads, pinned CPUs, other processes on the GPU."""
    found: dict[str, Any] = {
        "device": device,
        "platform": platform.platform(),
        "python": platform.python_version(),
        "libraries": libraries,
        "data_transfers": dict(TRANSFERS),
        "cpu": cpu_facts(),
        "load_average": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
        **settings,
    }
    if gpu.handle is not None:
        found["gpu"] = {**gpu.facts(), **gpu.state()}
        found["cuda_libraries"] = {name: version for name in CUDA_WHEELS if (version := installed_version(name))}
    if device.startswith("cuda") and gpu.missing:
        found["unread"] = dict(gpu.missing)
    return found
