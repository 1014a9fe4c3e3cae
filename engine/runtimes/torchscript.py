"""TorchScript: a traced or scripted module, run by PyTorch's JIT interpreter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from engine.artifact import Artifact
from engine.errors import MissingDependency, Unsupported, first_line
from engine.plugin import option
from engine.runtimes.base import Runtime, Session, Site
from engine.runtimes.eager import gpu_options, lowered
from engine.runtimes.torch_errors import translate
from engine.runtimes.torch_session import Call, TorchSession, set_up, torchscript_warnings_ignored
from engine.spec import ModelSpec


@dataclass(frozen=True)
class TorchScript(Runtime):
    """Run a traced or scripted module in PyTorch's JIT.

    Its profiling executor specializes the graph in the first calls and fuses pointwise operators.
    """

    name = "torchscript"
    title = "TorchScript"
    requires = ("torch",)
    formats = ("torchscript",)
    modules = ("torch",)
    family = "torchscript"

    optimize: bool = option(True, "Let the profiling executor specialize and optimize the graph")
    fuser: str = option(
        "default",
        "What fuses pointwise operators: PyTorch's own choice, NNC (GPU), or nothing",
        choices=("default", "nnc", "none"),
    )
    optimize_for_inference: bool = option(False, "Freeze, fold batch normalization and rewrite for this device")
    onednn_fusion: bool = option(False, "Fuse with oneDNN Graph (CPU)", label="oneDNN fusion")
    tf32: bool = option(False, "Use TF32 tensor cores for FP32 matrix products and convolutions (GPU)", label="TF32")
    cuda_graph: bool = option(False, "Capture the whole inference once and replay it (GPU)", label="CUDA graph")

    def check(self, spec: ModelSpec, device: str) -> str | None:
        if self.onednn_fusion and device != "cpu":
            return "oneDNN fusion is for the CPU"
        if self.fuser == "nnc" and device == "cpu":
            return "PyTorch's wheels have no LLVM, without which NNC fuses nothing on a CPU"
        return super().check(spec, device) or gpu_options(self, spec, device)

    def precision(self, artifact_precision: str, device: str) -> str:
        return lowered(artifact_precision, device, self.tf32)

    def open(self, artifact: Artifact, spec: ModelSpec, site: Site) -> Session:
        restore_torch = set_up(site, tf32=self.tf32)
        restore_jit = self.set_executor()

        def restore() -> None:
            restore_jit()
            restore_torch()

        def load() -> Call:
            with torchscript_warnings_ignored():
                module: Call = self.prepare(artifact, site.device)
                return module

        session = TorchSession(
            load,
            spec,
            site,
            batch_size=artifact.details.get("batch_size"),
            cuda_graph=self.cuda_graph,
            restore=restore,
        )
        session.details.update(optimize=self.optimize, fuser=self.fuser, tf32=self.tf32, cuda_graph=self.cuda_graph)
        return session

    def prepare(self, artifact: Artifact, device: str) -> Any:
        """The script on its device, optimized when asked for."""
        import torch

        module = load_script(str(artifact.path), device)
        if self.optimize_for_inference:
            module = torch.jit.optimize_for_inference(module)
        return with_onednn_explained(module) if self.onednn_fusion else module

    def set_executor(self) -> Callable[[], None]:
        """Set the JIT's process-wide switches; returns what undoes it."""
        import torch

        jit: Any = torch._C
        before = (
            jit._get_graph_executor_optimize(),
            jit._jit_can_fuse_on_cpu(),
            jit._jit_can_fuse_on_gpu(),
            jit._jit_texpr_fuser_enabled(),
            jit._jit_llga_enabled(),
        )
        jit._set_graph_executor_optimize(self.optimize)
        if self.fuser != "default":
            fuse = self.fuser == "nnc"
            jit._jit_override_can_fuse_on_cpu(fuse)
            jit._jit_override_can_fuse_on_gpu(fuse)
            jit._jit_set_texpr_fuser_enabled(fuse)
        if self.onednn_fusion:
            jit._jit_set_llga_enabled(True)

        def restore() -> None:
            jit._set_graph_executor_optimize(before[0])
            jit._jit_override_can_fuse_on_cpu(before[1])
            jit._jit_override_can_fuse_on_gpu(before[2])
            jit._jit_set_texpr_fuser_enabled(before[3])
            jit._jit_set_llga_enabled(before[4])

        return restore


def load_script(path: str, device: str) -> Any:
    """Load a script straight onto its device, so that its constants are there too.

    torchvision, which is slow to import, is imported only for a script that calls its operators.
    """
    import torch

    try:
        module: Any = torch.jit.load(path, map_location=device)
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        try:
            import torchvision  # noqa: F401  registers the operators that detectors call
        except ImportError as missing:
            raise MissingDependency(
                "This script calls torchvision's operators, and torchvision is not installed.",
                "Run: pip install torchvision",
            ) from missing
        module = torch.jit.load(path, map_location=device)
    return module.eval() if "training" in dir(module) else module


def with_onednn_explained(module: Call) -> Call:
    """The script; where oneDNN's fuser trips over it, with words that say so."""

    def call(*inputs: Any) -> Any:
        try:
            return module(*inputs)
        except RuntimeError as error:
            if translate(error) is not error:
                raise
            raise Unsupported(
                f"oneDNN Graph can't fuse this script: {first_line(error)}.",
                "It is made for traced and frozen models; turn oneDNN fusion off for this one.",
            ) from error

    return call
