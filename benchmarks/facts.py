"""What every recorded benchmark says about itself: command, machine, versions, date, wall time, memory."""

from __future__ import annotations

import json
import os
import platform
import resource
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

LIBRARIES = ("torch", "onnxruntime-gpu", "onnxruntime", "torch-pruning")


def facts(command: str, wall_s: float, *, threads: int) -> dict[str, Any]:
    """Where and when this process ran. `load` is the average number of busy threads in the last minute."""
    return {
        "command": command,
        "wall_s": round(wall_s, 1),
        "peak_memory_bytes": peak_memory_bytes(),
        "machine": {
            "processor": processor(),
            "cores": os.cpu_count(),
            "threads": threads,
            "load": round(os.getloadavg()[0], 2),
            "python": platform.python_version(),
            **{name: found for name in LIBRARIES if (found := installed(name))},
        },
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def installed(name: str) -> str:
    """The version of a distribution, or nothing."""
    try:
        return version(name)
    except ImportError:
        return ""


def processor() -> str:
    """The CPU's name."""
    described = Path("/proc/cpuinfo")
    lines = described.read_text().splitlines() if described.exists() else []
    names = [each.partition(":")[2].strip() for each in lines if each.startswith("model name")]
    return names[0] if names else platform.processor()


def peak_memory_bytes() -> int:
    """The most memory that this process held."""
    status = Path("/proc/self/status")
    if status.exists():  # `ru_maxrss` of a child begins with its parent's
        return next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def largest_child_bytes() -> int:
    """The most memory that any finished process below this one held."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def write(path: Path, row: dict[str, Any]) -> None:
    """Write one recorded run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(row, indent=1, ensure_ascii=False) + "\n")
