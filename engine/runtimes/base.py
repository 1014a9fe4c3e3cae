"""What a runtime is: it opens artifacts of some formats, and gives a session that runs them."""

from __future__ import annotations

import importlib
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from engine.artifact import Artifact
from engine.plugin import Plugin
from engine.spec import ModelSpec


@dataclass(frozen=True)
class Site:
    """Where and for what a session is opened.

    `device` is `cpu` or `cuda:0`, `threads` the CPU threads to use, `scratch` a folder this process
    may write to, `cache` one that outlives it (compiler and engine caches; the same for the same
    artifact, runtime and batch size).
    """

    device: str
    threads: int
    batch_size: int
    scratch: Path
    cache: Path
    seed: int = 0


class Session(ABC):
    """One model, loaded and ready, with its inputs on its device.

    The clock is in `engine/measure`, never here: `run` enqueues one inference and may return before
    it is over, `synchronize` waits for it. `details` is what the user should know about how it
    really runs: the providers used, the nodes that fell back to the CPU, the library's version.
    """

    def __init__(self) -> None:
        self.details: dict[str, Any] = {}

    @abstractmethod
    def bind(self, feeds: Mapping[str, Any]) -> None:
        """Copy inputs, by name, to the device. Buffers are reused when the shapes stay the same."""

    @abstractmethod
    def run(self) -> None:
        """Enqueue one inference over the bound inputs."""

    def many(self) -> AbstractContextManager[Any]:
        """Held around many runs: what each would otherwise set up for itself, such as inference mode."""
        return nullcontext()

    def synchronize(self) -> None:
        """Wait until every enqueued inference is over."""

    @abstractmethod
    def fetch(self) -> list[np.ndarray]:
        """Copy the outputs of the last inference to the host, in the order of the model's outputs.

        Floating outputs of a width NumPy lacks (bfloat16) come as float32.
        """

    def time_calls(self, calls: int, *, end_to_end: bool = False) -> tuple[list[int], list[int]] | None:
        """Times of this many synchronized calls and of `run` alone, in nanoseconds, by the session's own clock.

        With `end_to_end`, each call copies the bound inputs in and the outputs out. Only for a
        session in another process, whose calls the measuring clock would see with the time of the
        pipe between them; everywhere else None, and the caller keeps the clock.
        """
        return None

    @property
    def process_id(self) -> int:
        """The process that does the work and uses the memory: this one, unless the session started another."""
        return os.getpid()

    def reset(self) -> None:
        """Forget hidden state, as a fresh load would."""

    def framework_memory_bytes(self) -> int | None:
        """Peak of the framework's own allocator on the device, or None where it keeps no count."""
        return None

    def close(self) -> None:
        """Give back everything; called once, also after an error."""


@dataclass(frozen=True)
class Runtime(Plugin):
    """Opens artifacts of `formats` and runs them.

    `modules` is what opening an artifact imports; workers import it before their turn to be measured.
    `family` groups runtimes by colour and by what may share a process. `compiles` is true for
    runtimes that compile on first use: they get a hidden build whose artifact is the compiler cache,
    and a process for each batch size. `compiles_apart` is true where the batch sizes of one artifact
    can be compiled side by side into that cache.
    """

    formats: ClassVar[tuple[str, ...]] = ()
    modules: ClassVar[tuple[str, ...]] = ()
    devices: ClassVar[tuple[str, ...]] = ("cpu", "cuda")
    family: ClassVar[str] = "pytorch"
    compiles: ClassVar[bool] = False
    compiles_apart: ClassVar[bool] = False

    def check(self, spec: ModelSpec, device: str) -> str | None:
        """None, or the reason why this runtime with these options can't run this model there."""
        kind = device.split(":")[0]
        if kind not in self.devices:
            return f"{self.title or self.name} does not run on {'an NVIDIA GPU' if kind == 'cuda' else 'a CPU'}"
        return None

    def precision(self, artifact_precision: str, device: str) -> str:
        """The precision that parity is judged by; options such as TF32 or autocast lower it."""
        return artifact_precision

    @classmethod
    def preload(cls) -> None:
        """Import what `open` will import, without touching a device."""
        for each in cls.modules:
            importlib.import_module(each)

    @abstractmethod
    def open(self, artifact: Artifact, spec: ModelSpec, site: Site) -> Session:
        """Load the artifact. Raises Unsupported, MissingDependency, OutOfMemory or BadInput."""


@dataclass(frozen=True)
class Placed:
    """How many nodes or operators run where; a report of hybrid execution."""

    counts: dict[str, int] = field(default_factory=dict)
    fallbacks: tuple[str, ...] = ()
