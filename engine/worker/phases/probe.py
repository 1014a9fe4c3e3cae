"""Look at this machine: devices, libraries, which plugins are ready and what the others need."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from engine.errors import MissingDependency
from engine.formats import all_formats
from engine.measure.environment import cpu_facts
from engine.measure.nvml import Gpu, device_count
from engine.plugin import Plugin, installed_version
from engine.runtimes import all_runtimes
from engine.runtimes import broken_plugins as broken_runtimes
from engine.steps import all_steps
from engine.steps import broken_plugins as broken_steps
from engine.worker.jobs import ProbeJob
from engine.worker.protocol import Reporter

ALSO_SHOWN = ("numpy", "torch", "torchvision", "onnx", "onnxruntime-gpu", "onnxruntime", "tensorrt", "tensorrt-rtx")
COMPILERS = ("c++", "g++", "clang++")
NO_GPU_HINT = "Run it on a machine with an NVIDIA GPU and its driver."
OTHER_GPU_HINT = "Use another GPU, or update the driver of this one."


def run(job: ProbeJob, report: Reporter) -> dict[str, Any]:
    """Carry out the phase; see ProbeJob. Imports no framework unless asked for the catalog."""
    report(0.1, "Devices")
    gpus, why_none = gpu_devices()
    report(0.4, "Plugins")
    ids = ["cpu", *(str(each["id"]) for each in gpus)]
    return {
        "devices": [cpu_device(), *gpus],
        "no_gpu_reason": "" if gpus else why_none,
        "platform": platform.platform(),
        "python": platform.python_version(),
        "libraries": libraries([*all_runtimes().values(), *all_steps(), *all_formats().values()]),
        "runtimes": {name: readiness([each], ids, why_none) for name, each in all_runtimes().items()},
        "steps": {name: readiness(found, ids, why_none) for name, found in grouped(all_steps()).items()},
        "formats": {name: readiness([each], ids, why_none) for name, each in all_formats().items()},
        "broken_plugins": {**broken_steps(), **broken_runtimes()},
        "tools": tools(),
        **({"architectures": catalog_names()} if job.catalog else {}),
    }


def catalog_names() -> dict[str, list[str]]:
    """Every architecture that can be built here, by source; this imports the libraries that have them."""
    from engine import catalog

    return catalog.names()


def cpu_device() -> dict[str, Any]:
    """The processor as a device."""
    return {"id": "cpu", "kind": "cpu", **cpu_facts()}


def gpu_devices() -> tuple[list[dict[str, Any]], str]:
    """Every GPU that CUDA would see, with what could not be read; and why there is none."""
    count, why_none = device_count()
    found = []
    for ordinal in range(count):
        gpu = Gpu(f"cuda:{ordinal}")
        facts = {
            "id": f"cuda:{ordinal}",
            "kind": "cuda",
            **gpu.facts(),
            **gpu.state(),
            "processes": gpu.process_count(),
        }
        if gpu.handle is not None:
            found.append({**facts, "unread": dict(gpu.missing)})
        else:
            why_none = f"NVML can't open the GPU: {gpu.missing.get('nvml', 'no reason given')}."
    return found, why_none


def grouped(plugins: Iterable[type[Plugin]]) -> dict[str, list[type[Plugin]]]:
    """Plugins by technique name, in the order they were found."""
    found: dict[str, list[type[Plugin]]] = {}
    for each in plugins:
        found.setdefault(each.name, []).append(each)
    return found


def readiness(plugins: list[type[Plugin]], ids: list[str], why_no_gpu: str) -> dict[str, Any]:
    """Whether a technique can be used on one of these devices; one class of several is enough."""
    reasons = [why_not(each, ids, why_no_gpu) for each in plugins]
    kinds = {each.partition(":")[0] for each in ids}
    first = plugins[0]
    problem = None if None in reasons else reasons[0]
    ready_on = {kind for each, reason in zip(plugins, reasons, strict=True) if reason is None for kind in devices(each)}
    return {
        "ready": problem is None,
        "reason": problem.reason if problem else "",
        "hint": problem.hint if problem else "",
        "title": first.title or first.name,
        "devices": sorted(ready_on & kinds),
        "versions": {name: version for each in plugins for name, version in each.library_versions().items()},
        "formats": sorted({format for each in plugins for format in getattr(each, "formats", ())}),
    }


def devices(plugin: type[Plugin]) -> tuple[str, ...]:
    """The kinds of device a plugin works on."""
    return tuple(getattr(plugin, "devices", ("cpu", "cuda")))


def why_not(plugin: type[Plugin], ids: list[str], why_no_gpu: str) -> MissingDependency | None:
    """What a plugin lacks here, or None."""
    missing = plugin.missing()
    if missing is not None:
        return missing
    usable = [each for each in ids if each.partition(":")[0] in devices(plugin)]
    if not usable:
        return MissingDependency(f"{plugin.title or plugin.name} needs an NVIDIA GPU. {why_no_gpu}", NO_GPU_HINT)
    refusals = [plugin.refuses_device(each) for each in usable]
    return None if None in refusals else MissingDependency(f"{refusals[0]}.", OTHER_GPU_HINT)


def libraries(plugins: Iterable[type[Plugin]]) -> dict[str, str | None]:
    """Versions of everything a plugin requires, None where it is not installed."""
    names = {part.strip() for each in plugins for requirement in each.requires for part in requirement.split("|")}
    return {name: installed_version(name) for name in sorted(names | set(ALSO_SHOWN))}


def tools() -> dict[str, Any]:
    """What lies outside Python packages: compiler, Python's headers, the sandbox, CUDA's compiler."""
    compiler = next((path for name in COMPILERS if (path := shutil.which(name))), None)
    headers = Path(sysconfig.get_paths()["include"]) / "Python.h"
    sandbox = shutil.which("bwrap") if sys.platform == "linux" else None
    return {
        "compiler": tool(compiler, "apt install g++"),
        "python_headers": tool(str(headers) if headers.exists() else None, "apt install python3-dev"),
        "sandbox": {**tool(sandbox, "apt install bubblewrap"), "mode": os.environ.get("OPTIBENCH_SANDBOX", "auto")},
        "nvcc": tool(shutil.which("nvcc"), "only needed to compile your own CUDA extensions"),
    }


def tool(path: str | None, hint: str) -> dict[str, Any]:
    """Where a tool lies, or how to get it."""
    return {"path": path, "ready": path is not None, "hint": "" if path else hint}
