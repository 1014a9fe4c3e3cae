"""A PyTorch session up close: operators, GPU kernels, launches and the time the GPU was busy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

CALLS = 10
SHOWN = 200
COPIES = ("Memcpy", "Memset")
LAUNCHES = ("cudaLaunchKernel", "cuLaunchKernel", "cudaLaunchKernelExC", "cuLaunchKernelEx", "cudaGraphLaunch")


def profile(session: Any) -> dict[str, Any]:
    """Profile a few calls of a session whose inputs are bound and that is warm.

    Times are per call. On a GPU `kernels` are what it ran, copies included, `busy_ms` their sum and
    `launches` the host's launch calls; on a CPU `layers` are operators by their own time.
    """
    from torch._C._autograd import DeviceType
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as torch_profile

    on_gpu = session.device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    torch_profile(activities=activities, acc_events=True).__enter__().__exit__(
        None, None, None
    )  # the first start is slow
    with torch_profile(activities=activities, acc_events=True) as profiler:
        for _ in range(CALLS):
            session.run()
            session.synchronize()
    events = [each for each in profiler.events() or () if each is not None]
    operators = [each for each in events if each.device_type == DeviceType.CPU]
    if not on_gpu:
        layers = grouped(
            (each.name, "operator", each.self_cpu_time_total) for each in operators if not internal(each.name)
        )
        return {"layers": layers, "busy_ms": sum(each["ms"] for each in layers)}
    found = grouped(
        (each.name, "copy" if each.name.startswith(COPIES) else "kernel", each.time_range.elapsed_us())
        for each in events
        if each.device_type == DeviceType.CUDA and not annotation(each)
    )
    launches = sum(each.name.startswith(LAUNCHES) for each in operators)
    return {
        "kernels": found,
        "launches": launches / CALLS,
        "kernels_per_call": sum(each["count"] for each in found),
        "busy_ms": sum(each["ms"] for each in found),
    }


def grouped(timed: Iterable[tuple[str, str, float]]) -> list[dict[str, Any]]:
    """Rows by name, longest first, from (name, kind, microseconds) of all calls."""
    totals: dict[tuple[str, str], list[float]] = {}
    for name, kind, microseconds in timed:
        totals.setdefault((name, kind), []).append(microseconds)
    rows = [
        {"name": name, "kind": kind, "ms": sum(found) / CALLS / 1e3, "count": len(found) / CALLS}
        for (name, kind), found in totals.items()
    ]
    return sorted(rows, key=lambda row: -float(str(row["ms"])))[:SHOWN]


def internal(name: str) -> bool:
    """Whether an event is the profiler's own, or a range around others."""
    return name.startswith(("ProfilerStep", "[memory]", "Torch-Compiled", "PyTorch Profiler"))


def annotation(event: Any) -> bool:
    """Whether an event on the GPU's time line is a range that a user or library named, not work."""
    return bool(getattr(event, "is_user_annotation", False))
