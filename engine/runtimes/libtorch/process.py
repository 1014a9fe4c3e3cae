"""The session of the C++ program: a process at the other end of two pipes."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import BadInput, OptibenchError, OutOfMemory, PhaseFailed, Unsupported
from engine.runtimes.base import Session, Site
from engine.runtimes.inputs import bfloat16_bits, checked, from_bfloat16_bits
from engine.spec import ModelSpec


class LibTorchSession(Session):
    """Speaks with the program that `main.cpp` documents.

    `load` is the load command's words after the kind of model. The program's own clock times the
    calls, so that the pipe between us is not part of them.
    """

    def __init__(
        self, program: Path, load: Sequence[object], spec: ModelSpec, site: Site, *, batch_size: int | None = None
    ) -> None:
        super().__init__()
        self.spec = spec
        self.batch_size = batch_size
        self.process = subprocess.Popen([str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            seconds = self.ask("load", *load)
        except OptibenchError:
            self.close()
            raise
        self.details["model_load_s"] = float(seconds[0])

    @property
    def process_id(self) -> int:
        return self.process.pid

    def bind(self, feeds: Mapping[str, Any]) -> None:
        values = checked(feeds, self.spec, self.batch_size)
        parts = [f"bind {len(values)}\n".encode()]
        for each in self.spec.inputs:
            parts.extend(encoded(each.name, values[each.name], each.dtype))
        self.send(*parts)
        self.answer()

    def run(self) -> None:
        self.ask("run")

    def synchronize(self) -> None:
        self.ask("synchronize")

    def fetch(self) -> list[np.ndarray]:
        (count,) = self.ask("fetch")
        return [self.receive() for _ in range(int(count))]

    def time_calls(self, calls: int, *, end_to_end: bool = False) -> tuple[list[int], list[int]] | None:
        self.ask("end_to_end" if end_to_end else "time", calls)
        times = np.frombuffer(self.read(2 * calls * 8), np.int64)
        return times[:calls].tolist(), times[calls:].tolist()

    def reset(self) -> None:
        if self.spec.state == "hidden":
            self.ask("reset")

    def framework_memory_bytes(self) -> int | None:
        device = int(self.ask("memory")[1])
        return device or None

    def close(self) -> None:
        if self.process.poll() is None:
            try:
                self.send(b"close\n")
                self.process.wait(5)
            except (OSError, OptibenchError, subprocess.TimeoutExpired):
                self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream:
                stream.close()

    def ask(self, *words: object) -> list[str]:
        """Send one command of text alone and return the words of its answer."""
        self.send(" ".join(map(str, words)).encode() + b"\n")
        return self.answer()

    def send(self, *parts: bytes) -> None:
        """Write to the program."""
        assert self.process.stdin
        try:
            for each in parts:
                self.process.stdin.write(each)
            self.process.stdin.flush()
        except OSError as error:
            raise self.died() from error

    def answer(self) -> list[str]:
        """The words of an answer; raises what an error answer stands for."""
        assert self.process.stdout
        line = self.process.stdout.readline().decode(errors="replace").rstrip("\n")
        if not line:
            raise self.died()
        kind, _, rest = line.partition(" ")
        if kind == "ok":
            return rest.split()
        raise refusal(rest)

    def read(self, count: int) -> bytes:
        """Exactly this many bytes."""
        assert self.process.stdout
        data = self.process.stdout.read(count)
        if len(data) < count:
            raise self.died()
        return data

    def receive(self) -> np.ndarray:
        """One tensor that the program sends."""
        assert self.process.stdout
        _, dtype, rank, *sizes = self.process.stdout.readline().decode().split()
        shape = tuple(map(int, sizes))
        assert len(shape) == int(rank)
        narrow = dtype == "bfloat16"
        kind = np.dtype(np.uint16 if narrow else dtype)
        array = np.frombuffer(self.read(int(np.prod(shape, dtype=np.int64)) * kind.itemsize), kind).reshape(shape)
        return from_bfloat16_bits(array) if narrow else array

    def died(self) -> PhaseFailed:
        """The error for a program that ended by itself."""
        try:
            code = self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        if code == -signal.SIGKILL:
            return PhaseFailed(
                "oom",
                "The C++ program was killed from outside, most often because the host's memory ran out.",
                "Try a smaller batch size.",
            )
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return PhaseFailed("crashed", f"The C++ program died ({how}).", "The log has its last words.")


def encoded(name: str, value: Any, dtype: str) -> list[bytes]:
    """One input as the program reads it."""
    if isinstance(value, np.ndarray):
        data = bfloat16_bits(value) if dtype == "bfloat16" else value
        head = " ".join(map(str, ("tensor", dtype, value.ndim, *value.shape)))
        return [f"{head}\n".encode(), data.tobytes()]
    if isinstance(value, bool):
        return [f"bool {int(value)}\n".encode()]
    if isinstance(value, (int, float)):
        return [f"{type(value).__name__} {value!r}\n".encode()]
    raise Unsupported(f"The C++ program takes numbers and tensors, and {name} is {value!r}.", "Run it in Python.")


def refusal(text: str) -> OptibenchError:
    """What an error answer stands for."""
    kind, _, message = text.partition(" ")
    lines = [each.strip() for each in message.split("\v") if each.strip()]
    first = (lines or ["no message"])[0][:300]
    if kind == "memory" or "out of memory" in message or "can't allocate memory" in message:
        return OutOfMemory(f"Memory ran out in the C++ program: {first}", "Try a smaller batch size.")
    if "sees no NVIDIA GPU" in message:
        return Unsupported(first + ".", "Check the driver with nvidia-smi, or choose the CPU.")
    operator = next((each for each in lines if "Unknown builtin op" in each), "")
    if operator:
        return Unsupported(
            f"LibTorch alone lacks an operator of this model: {operator.rstrip('.')}.",
            "Run it with the torchscript runtime, where the package that defines it is imported.",
        )
    if "PytorchStreamReader" in message or "open file failed" in message:
        return BadInput(f"LibTorch can't read this file: {first}", "Build the artifact again.")
    return OptibenchError(f"LibTorch failed: {(lines or [first])[-1][:300]}", "The log has the details.")
