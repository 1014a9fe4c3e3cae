"""What differs between TensorRT 10, TensorRT 11 and TensorRT for RTX, and nothing else.

TensorRT proper is used where it is installed, TensorRT for RTX is the stand-in; both have the same
Python interface. Precision is always in the graph: networks are strongly typed in all three, so no
precision flag of the builder is ever set. Run so far: TensorRT for RTX 1.4. TensorRT 10 and 11 have
the interface that is called here, and are untested.

|                       | TensorRT 10        | TensorRT 11     | TensorRT for RTX                     |
| --------------------- | ------------------ | --------------- | ------------------------------------ |
| strongly typed        | a flag             | always          | always                               |
| kernels are chosen    | by timing at build | by timing       | compiled on the first inference      |
| timing cache          | yes                | yes             | does nothing                         |
| optimization level    | 0 to 5             | 0 to 5          | accepted                             |
| runtime cache         | no                 | no              | keeps the kernels compiled on use    |
| asks before a capture | no              | no              | `is_stream_capturable`               |
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import MissingDependency, Unsupported
from engine.measure.nvml import Gpu
from engine.plugin import installed_version

DISTRIBUTIONS = (
    "tensorrt",
    "tensorrt-cu13",
    "tensorrt-cu12",
    "tensorrt-cu13-bindings",
    "tensorrt-cu12-bindings",
    "tensorrt-rtx",
    "tensorrt-rtx-cu13",
    "tensorrt-rtx-cu12",
    "tensorrt-rtx-cu13-bindings",
    "tensorrt-rtx-cu12-bindings",
)
REQUIREMENT = "|".join(DISTRIBUTIONS)
INSTALL = (
    "pip install tensorrt cuda-bindings   (or, without NVIDIA's package index: pip install tensorrt-rtx cuda-bindings)"
)
MESSAGES_KEPT = 50
MINIMUM_CAPABILITY = (7, 5)
MINIMUM_DRIVER = {"cu13": 580, "cu12": 525}


@dataclass(frozen=True)
class Library:
    """The TensorRT that this process uses.

    `jit` is true for TensorRT for RTX, which compiles kernels on first use and keeps them in a
    runtime cache; the others choose kernels by timing them while they build.
    """

    api: Any
    name: str
    version: str
    jit: bool

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])

    def facts(self) -> dict[str, str]:
        """What an artifact and a result say about the library."""
        return {"library": self.name, "library_version": self.version}

    def create_network(self, builder: Any) -> Any:
        """A strongly typed network: every layer keeps the types that the graph gives it."""
        if self.jit or self.major >= 11:
            return builder.create_network(0)
        return builder.create_network(1 << int(self.api.NetworkDefinitionCreationFlag.STRONGLY_TYPED))

    def set_flag(self, config: Any, name: str, on: bool) -> None:
        """Set or clear a builder flag by name; TF32 is on by default in all of them.

        Raises Unsupported for one that is asked for and that this version does not have.
        """
        flag = getattr(self.api.BuilderFlag, name, None)
        if flag is None:
            if on:
                raise Unsupported(f"{self.name} {self.version} has no builder flag {name}.", "Leave that option off.")
        elif on:
            config.set_flag(flag)
        else:
            config.clear_flag(flag)

    def load_timing_cache(self, config: Any, path: Path) -> Any:
        """Give the builder the timings of earlier builds; None where the library keeps none."""
        if self.jit:
            return None
        cache = config.create_timing_cache(path.read_bytes() if path.exists() else b"")
        return cache if cache is not None and config.set_timing_cache(cache, False) else None

    def create_context(self, engine: Any, cache: Path, *, own_graph: bool = False) -> tuple[Any, Any]:
        """An execution context, and the runtime cache to save later (None where there is none).

        TensorRT for RTX is told to compile for the shapes really used before it answers, not in the
        background: what is timed, or captured into a CUDA graph, is never its fallback kernel. With
        `own_graph` it captures and replays a CUDA graph itself.
        """
        if not self.jit:
            return engine.create_execution_context(), None
        config = engine.create_runtime_config()
        config.dynamic_shapes_kernel_specialization_strategy = self.api.DynamicShapesKernelSpecializationStrategy.EAGER
        if own_graph:
            config.cuda_graph_strategy = self.api.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
        kept = config.create_runtime_cache()
        if cache.exists():
            kept.deserialize(cache.read_bytes())
        config.set_runtime_cache(kept)
        return engine.create_execution_context(config), kept

    def fp32_becomes(self, asked_for_tf32: bool) -> str:
        """What FP32 really is: TensorRT for RTX 1.4 computes in TF32 whatever the flag says.

        Seen on an H100 for convolutions and for the matrix products of a BERT encoder.
        """
        return "tf32" if asked_for_tf32 or self.jit else "fp32"

    def capturable(self, context: Any, stream: int) -> bool:
        """Whether an inference can be captured into a CUDA graph, where the library tells; else it is tried."""
        ask = getattr(context, "is_stream_capturable", None)
        return ask is None or bool(ask(stream))

    def context_memory_bytes(self, engine: Any) -> int | None:
        """Device memory of one execution context, where the library tells."""
        for name in ("device_memory_size_v2", "device_memory_size"):
            if hasattr(engine, name):
                return int(getattr(engine, name))
        return None


@functools.cache
def load() -> Library:
    """Import TensorRT, or TensorRT for RTX where there is none.

    Raises MissingDependency when neither can be imported, with the loader's words: a library of
    another CUDA version is found only here.
    """
    failures = []
    for importer in (import_tensorrt, import_tensorrt_rtx):
        try:
            api = importer()
        except ImportError as error:
            failures.append(str(error))
            continue
        jit = hasattr(api, "IRuntimeCache")
        return Library(api, "TensorRT for RTX" if jit else "TensorRT", str(api.__version__), jit)
    raise MissingDependency(f"TensorRT can't be imported ({'; '.join(failures)}).", f"Run: {INSTALL}")


def import_tensorrt() -> Any:
    """TensorRT proper. An import statement, so that its time is counted as import and not as load."""
    import tensorrt

    return tensorrt


def import_tensorrt_rtx() -> Any:
    """The stand-in, TensorRT for RTX."""
    import tensorrt_rtx

    return tensorrt_rtx


def recorder(api: Any) -> Any:
    """A TensorRT logger that prints to the log and keeps errors in `.errors` and warnings in `.warnings`."""

    class Recorder(api.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            api.ILogger.__init__(self)
            self.errors: list[str] = []
            self.warnings: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (api.ILogger.Severity.ERROR, api.ILogger.Severity.INTERNAL_ERROR):
                kept = self.errors
            elif severity == api.ILogger.Severity.WARNING:
                kept = self.warnings
            else:
                return
            if len(kept) < MESSAGES_KEPT:  # one mistake in a graph can be repeated a thousand times
                kept.append(message)
                print(f"TensorRT: {message}", flush=True)

    return Recorder()


def says_out_of_memory(messages: list[str]) -> bool:
    """Whether TensorRT's errors mean that memory ran out."""
    text = " ".join(messages).lower().replace(" ", "")
    return any(sign in text for sign in ("outofmemory", "insufficientmemory", "failedtoallocate", "cannotallocate"))


def save_atomically(path: Path, content: bytes) -> None:
    """Write a cache file that other processes may read at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}")
    partial.write_bytes(content)
    partial.replace(path)


@functools.cache
def times_kernels() -> bool:
    """Whether the library that is used here times kernels while it builds; TensorRT for RTX compiles when it loads."""
    used = next((each for each in DISTRIBUTIONS if installed_version(each)), "")
    return "rtx" not in used


def gpu_refusal(device: str) -> str | None:
    """Why TensorRT can't use this GPU, naming GPU, driver and compute capability; None when it can.

    Asks the driver only; says nothing where there is none, which is judged elsewhere, or where it does not tell.
    """
    facts = gpu_facts(device)
    if facts is None or not facts["compute_capability"] or not facts["driver"]:
        return None
    capability = tuple(int(each) for each in str(facts["compute_capability"]).split("."))
    return judge_gpu(str(facts["name"]), capability, str(facts["driver"]), cuda_flavour())


def gpu_facts(device: str) -> dict[str, Any] | None:
    """What the driver says about a GPU, or None where there is no driver or no such GPU."""
    gpu = Gpu(device)
    return gpu.facts() if gpu.handle is not None else None


def judge_gpu(name: str, capability: tuple[int, ...], driver: str, flavour: str) -> str | None:
    """The reason in words, or None. `flavour` is the CUDA major version the library was built for."""
    if capability < MINIMUM_CAPABILITY:
        have, need = (".".join(map(str, each)) for each in (capability, MINIMUM_CAPABILITY))
        return f"{name} has compute capability {have}; TensorRT needs {need} or newer"
    needed = MINIMUM_DRIVER[flavour]
    if int(driver.split(".")[0]) < needed:
        return f"the driver of {name} is {driver}; this TensorRT needs {needed} or newer"
    return None


def cuda_flavour() -> str:
    """`cu12` or `cu13`: the CUDA version of the installed library; the metapackages mean 13."""
    return "cu12" if any(installed_version(each) for each in DISTRIBUTIONS if "cu12" in each) else "cu13"
