"""Saved Torch-TensorRT programs and scripts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from engine.artifact import Artifact
from engine.plugin import option
from engine.runtimes import torch_tensorrt_library as torch_tensorrt
from engine.runtimes.base import Runtime, Session, Site
from engine.runtimes.tensorrt_library import gpu_refusal
from engine.runtimes.torch_session import Call, TorchSession, set_up
from engine.spec import ModelSpec


@dataclass(frozen=True)
class TorchTensorRTRuntime(Runtime):
    """Run a program that Torch-TensorRT compiled ahead of time.

    TensorRT engines and PyTorch operators in one program; nothing is compiled when it loads.
    """

    name = "torch-tensorrt-runtime"
    title = "Torch-TensorRT"
    requires = ("torch", torch_tensorrt.REQUIREMENT)
    install = torch_tensorrt.INSTALL
    formats = ("torch-tensorrt",)
    modules = ("torch", "torch_tensorrt")
    devices = ("cuda",)
    family = "tensorrt"

    cuda_graph: bool = option(False, "Capture each engine once and replay it as one launch", label="CUDA graph")

    @classmethod
    def refuses_device(cls, device: str) -> str | None:
        return gpu_refusal(device)

    def check(self, spec: ModelSpec, device: str) -> str | None:
        return super().check(spec, device) or torch_tensorrt.refusal(spec, device)

    def open(self, artifact: Artifact, spec: ModelSpec, site: Site) -> Session:
        library = torch_tensorrt.load()
        tf32 = artifact.precision == "tf32"
        restore = with_cuda_graphs(library, self.cuda_graph, set_up(site, tf32=tf32))
        kinds: list[str] = []

        def load_program() -> Call:
            call, found = opened(artifact)
            kinds[:] = found
            return call

        session = TorchSession(load_program, spec, site, batch_size=artifact.details.get("batch_size"), restore=restore)
        session.details.update(
            torch_tensorrt.facts(library), cuda_graph=self.cuda_graph, tf32=tf32, **torch_tensorrt.hybrid(kinds)
        )
        return session


def opened(artifact: Artifact) -> tuple[Call, list[str]]:
    """The saved program or script, and its operators."""
    import torch

    if artifact.path.suffix == ".ts":
        script = torch.jit.load(str(artifact.path))
        return script, torch_tensorrt.script_kinds(script)
    program = torch.export.load(str(artifact.path))
    module: Any = program.module()
    return module, torch_tensorrt.program_kinds(program.graph)


def with_cuda_graphs(library: Any, on: bool, restore: Callable[[], None]) -> Callable[[], None]:
    """Turn CUDA graphs on for this process; returns what undoes it and everything before it."""
    if not on:
        return restore
    library.runtime.set_cudagraphs_mode(True)

    def undo() -> None:
        library.runtime.set_cudagraphs_mode(False)
        restore()

    return undo
