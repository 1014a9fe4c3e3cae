"""torch.compile with Torch-TensorRT as its backend."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.artifact import Artifact
from engine.plugin import installed_version, option
from engine.runtimes import torch_tensorrt_library as torch_tensorrt
from engine.runtimes.base import Runtime, Session, Site
from engine.runtimes.eager import load_module, lowered
from engine.runtimes.tensorrt_library import gpu_refusal
from engine.runtimes.torch_session import Call, TorchSession, set_up
from engine.runtimes.torch_tensorrt_runtime import with_cuda_graphs
from engine.spec import ModelSpec


@dataclass(frozen=True)
class TorchTensorRTJit(Runtime):
    """Compile the module in its first call, with TensorRT engines for what TensorRT takes.

    One line in existing PyTorch code: `torch.compile(model, backend="torch_tensorrt")`. Nothing is
    saved, so every process compiles again; `torch-tensorrt-compile` does it ahead of time.
    """

    name = "torch-tensorrt-jit"
    title = "Torch-TensorRT (torch.compile)"
    requires = ("torch", torch_tensorrt.REQUIREMENT)
    install = torch_tensorrt.INSTALL
    formats = ("torch-module", "exported-program")
    modules = ("torch._dynamo", "torch_tensorrt")
    devices = ("cuda",)
    family = "tensorrt"
    compiles = True

    tf32: bool = option(False, "Let FP32 matrix products and convolutions use TF32 tensor cores", label="TF32")
    cuda_graph: bool = option(False, "Capture each engine once and replay it as one launch", label="CUDA graph")
    min_block_size: int = option(5, "Fewest operators that are worth an engine of their own", min=1, max=100)

    def times_kernels(self) -> bool:
        return torch_tensorrt.times_kernels()

    @classmethod
    def refuses_device(cls, device: str) -> str | None:
        return gpu_refusal(device)

    def check(self, spec: ModelSpec, device: str) -> str | None:
        return super().check(spec, device) or torch_tensorrt.refusal(spec, device)

    def precision(self, artifact_precision: str, device: str) -> str:
        # TensorRT for RTX convolves in TF32 whatever is asked for, so an FP32 module counts as TF32 there.
        rtx = installed_version("torch-tensorrt-rtx") is not None
        return lowered(artifact_precision, device, self.tf32 or rtx)

    def open(self, artifact: Artifact, spec: ModelSpec, site: Site) -> Session:
        library = torch_tensorrt.load()
        restore = with_cuda_graphs(library, self.cuda_graph, set_up(site, tf32=self.tf32))
        settings = torch_tensorrt.dynamo_settings(
            disable_tf32=not self.tf32,
            min_block_size=self.min_block_size,
            pass_through_build_failures=True,
            timing_cache_path=str(site.cache / "timing.bin"),
            device=site.device,
        )
        site.cache.mkdir(parents=True, exist_ok=True)
        report: dict[str, Any] = {"partitions": 0, "in_pytorch": {}, "graphs": 0}

        def load_compiled() -> Call:
            return compiled(load_module(artifact, site.device), settings, report)

        session = JitSession(load_compiled, spec, site, batch_size=artifact.details.get("batch_size"), restore=restore)
        session.report = report
        session.details.update(torch_tensorrt.facts(library), cuda_graph=self.cuda_graph, tf32=self.tf32)
        return session


class JitSession(TorchSession):
    """Reports, after the first call, how the graph was divided."""

    report: dict[str, Any]

    def infer(self) -> Any:
        try:
            return super().infer()
        except Exception as error:
            raise torch_tensorrt.explained(error, "compiling with Torch-TensorRT") from error

    def fetch(self) -> list[Any]:
        self.details.update(self.report)
        return super().fetch()

    def close(self) -> None:
        super().close()
        import torch

        torch._dynamo.reset()


def compiled(module: Any, settings: dict[str, Any], report: dict[str, Any]) -> Call:
    """The module, to be compiled at its first call; `report` then says how it was divided."""
    import torch
    import torch._dynamo
    from torch_tensorrt.dynamo.backend.backends import torch_tensorrt_backend

    torch._dynamo.reset()
    torch._dynamo.config.fail_on_recompile_limit_hit = True

    def backend(graph: Any, samples: Sequence[Any]) -> Any:
        result = torch_tensorrt_backend(graph, samples, options=dict(settings))
        found = torch_tensorrt.hybrid(torch_tensorrt.program_kinds(result.graph) if hasattr(result, "graph") else [])
        report["graphs"] += 1
        report["partitions"] += found["partitions"]
        report["in_pytorch"] = dict(Counter(report["in_pytorch"]) + Counter(found["in_pytorch"]))
        return result

    call: Call = torch.compile(module, backend=backend, dynamic=False)
    return call
