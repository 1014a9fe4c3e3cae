"""The ceilings of this device: memory bandwidth and arithmetic for each precision, measured once and kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

COPY_BYTES = {"cpu": 1 << 27, "cuda": 1 << 30}
MATRIX = {"cpu": 1024, "cuda": 8192}
SECONDS = 0.3
CALLS = 3


def ceilings(device: str, cache: Path, name: str) -> dict[str, Any]:
    """`bandwidth` in bytes/s (read plus written) and `flops` by precision in operations/s.

    Kept in `cache` under the device's `name`, so that every variant on it has the same limit.
    """
    path = cache / f"ceilings-{''.join(each if each.isalnum() else '-' for each in name)}.json"
    try:
        found: dict[str, Any] = json.loads(path.read_text())
        return found
    except (OSError, ValueError):
        measured = measure(device)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(measured))
        partial.replace(path)
    except OSError:
        measured["kept"] = False  # a sandboxed worker may write to its own folders only; the next one measures again
    return measured


def measure(device: str) -> dict[str, Any]:
    """Copy a large buffer and multiply large matrices. Loads torch."""
    import torch

    kind = device.split(":")[0]
    with torch.no_grad():
        source = torch.ones(COPY_BYTES[kind] // 4, device=device)
        target = torch.empty_like(source)
        bandwidth = 2 * source.nbytes / fastest(lambda: target.copy_(source), device)
        return {"bandwidth": bandwidth, "flops": arithmetic(device, kind), "torch": torch.__version__}


def arithmetic(device: str, kind: str) -> dict[str, float]:
    """Operations per second of a large square matrix product at each precision this device has."""
    import torch

    matmul = torch.backends.cuda.matmul
    before = matmul.allow_tf32
    found: dict[str, float] = {}
    try:
        matmul.allow_tf32 = False
        found["fp32"] = product(torch.float32, device, kind)
        if kind == "cuda":
            found["fp16"] = product(torch.float16, device, kind)
            found["bf16"] = product(torch.bfloat16, device, kind)
            matmul.allow_tf32 = True
            found["tf32"] = product(torch.float32, device, kind)
            found |= narrow(device)
    finally:
        matmul.allow_tf32 = before
    return found


def product(dtype: Any, device: str, kind: str) -> float:
    """One precision; random values, because zeros cost less power and run faster."""
    import torch

    size = MATRIX[kind]
    left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    return 2 * size**3 / fastest(lambda: left @ right, device)


def narrow(device: str) -> dict[str, float]:
    """INT8 and FP8, where this GPU and this PyTorch have a matrix product for them."""
    import torch

    size = MATRIX["cuda"]
    values = torch.randn(size, size, device=device)
    integers, floats = (values * 30).to(torch.int8), values.to(torch.float8_e4m3fn)
    one = torch.ones((), device=device)
    products: dict[str, Callable[[], Any]] = {
        "int8": lambda: torch._int_mm(integers, integers.t()),
        "fp8": lambda: torch._scaled_mm(floats, floats.t(), scale_a=one, scale_b=one, out_dtype=torch.float16),
    }
    found: dict[str, float] = {}
    for name, multiply in products.items():
        try:
            found[name] = 2 * size**3 / fastest(multiply, device)
        except (RuntimeError, ValueError) as error:  # not on this GPU: the limit then stays unknown, and is said to be
            print(f"No {name} matrix product here: {error}", flush=True)
    return found


def fastest(work: Callable[[], Any], device: str) -> float:
    """The shortest time of a call in seconds, over at least a few calls."""
    import torch

    def wait() -> None:
        if device != "cpu":
            torch.cuda.synchronize(device)

    work()
    wait()
    best = float("inf")
    began = perf_counter()
    calls = 0
    while calls < CALLS or perf_counter() - began < SECONDS:
        started = perf_counter()
        work()
        wait()
        best = min(best, perf_counter() - started)
        calls += 1
    return best
