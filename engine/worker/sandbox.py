"""Run a worker under bubblewrap where it is there: no network, read-only, its own /tmp.

Processes stay in the host's numbering, because the driver reports memory by process. The device
nodes are the minimal ones and NVIDIA's.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import settings
from engine.errors import MissingDependency
from engine.spec import to_json

PROBE_S = 10.0
PRIVATE = Path("/tmp")
CACHE = PRIVATE / "optibench-cache"
INSTALL = "Run: sudo apt-get install bubblewrap (or set OPTIBENCH_SANDBOX=off)."
OUTPUTS = ("folder", "store", "cache")
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Sandbox:
    """Whether workers are isolated here, and why not."""

    active: bool
    note: str = ""


def state() -> Sandbox:
    """What applies on this machine; raises MissingDependency when a sandbox is required and can't be had."""
    wanted = settings.load().sandbox
    if wanted == "off":
        return Sandbox(False, "Workers are not isolated: OPTIBENCH_SANDBOX is off.")
    trouble = probe()
    if trouble and wanted == "required":
        raise MissingDependency(f"OPTIBENCH_SANDBOX is required, and {trouble}.", INSTALL)
    if trouble:
        return Sandbox(False, f"Workers are not isolated, because {trouble}. {INSTALL}")
    return Sandbox(True, "Workers run under bubblewrap: no network, read-only but for their own folders.")


@functools.cache
def probe() -> str:
    """What keeps bubblewrap from working here, or nothing. Tried once in a process."""
    if sys.platform != "linux":
        return "bubblewrap exists on Linux only"
    program = shutil.which("bwrap")
    if program is None:
        return "bubblewrap is not installed"
    try:
        ended = subprocess.run(
            [program, *isolation(), "--", "/bin/true"], capture_output=True, text=True, timeout=PROBE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap does not start ({type(error).__name__})"
    said = ended.stderr.strip().splitlines()
    return "" if ended.returncode == 0 else f"bubblewrap can't isolate here ({said[-1] if said else 'no message'})"


def isolation() -> list[str]:
    """The options that do not depend on the job."""
    options = ["--die-with-parent", "--unshare-net", "--unshare-uts", "--ro-bind", "/", "/", "--dev", "/dev"]
    for pattern in ("nvidia*", "dri", "kfd"):
        for device in sorted(Path("/dev").glob(pattern)):
            options += ["--dev-bind-try", str(device), str(device)]
    return [*options, "--tmpfs", str(PRIVATE), "--setenv", "TMPDIR", str(PRIVATE)]


def wrap(arguments: list[str], *, writable: Iterable[Path], readable: Iterable[Path]) -> list[str]:
    """The command that runs `arguments` isolated, or `arguments` themselves where there is no sandbox.

    Folders of `writable` are made if they are missing. Raises MissingDependency when a sandbox is
    required and can't be had.
    """
    if not state().active:
        return arguments
    options = ["bwrap", *isolation()]
    for path in visible([*installation(), *readable]):
        options += ["--ro-bind", str(path.resolve()), str(path)]
    for path in dict.fromkeys(each.absolute() for each in writable):
        path.mkdir(parents=True, exist_ok=True)
        options += ["--bind", str(path.resolve()), str(path)]
    return [*options, "--chdir", str(ROOT), "--", *arguments]


def installation() -> list[Path]:
    """Where Python, this program and the operator's architectures lie."""
    return [ROOT, Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable), settings.load().home]


def visible(paths: Iterable[Path]) -> list[Path]:
    """Those paths, and what they are links to, that the private /tmp would hide.

    What lies in another one of them comes along with it; a link there could not be bound again.
    """
    existing = [each for each in paths if each.exists()]
    hidden = {
        each
        for path in existing
        for each in (path.absolute(), path.resolve())
        if each.is_relative_to(PRIVATE) and each != PRIVATE
    }
    return sorted(each for each in hidden if not hidden.intersection(each.parents))


def mentioned(job: Any) -> tuple[list[Path], list[Path]]:
    """The folders a job writes to and the paths it reads, as far as its fields name them."""
    payload = to_json(job)
    outputs = [Path(payload[each]) for each in OUTPUTS if payload.get(each)]
    return outputs, [Path(each) for each in strings(payload) if each.startswith("/") and len(each) < 4096]


def strings(value: Any) -> list[str]:
    """Every string inside plain data."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for each in value.values() for text in strings(each)]
    return [text for each in value for text in strings(each)] if isinstance(value, list) else []


def cache_environment() -> dict[str, str]:
    """Where libraries keep caches inside the sandbox, for what the parent's environment leaves open."""
    if not state().active:
        return {}
    names = {
        "XDG_CACHE_HOME": "xdg",
        "TRITON_CACHE_DIR": "triton",
        "TORCHINDUCTOR_CACHE_DIR": "inductor",
        "CUDA_CACHE_PATH": "cuda",
        "MPLCONFIGDIR": "matplotlib",
        "HF_HOME": "huggingface",
        "NUMBA_CACHE_DIR": "numba",
    }
    return {name: str(CACHE / folder) for name, folder in names.items() if name not in os.environ}
