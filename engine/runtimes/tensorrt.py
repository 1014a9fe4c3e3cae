"""TensorRT: runs engines that `tensorrt-build` made for this GPU, without PyTorch."""

from __future__ import annotations

from dataclasses import dataclass

from engine.artifact import Artifact
from engine.plugin import option
from engine.runtimes import tensorrt_library
from engine.runtimes.base import Runtime, Session, Site
from engine.spec import ModelSpec


@dataclass(frozen=True)
class TensorRT(Runtime):
    """Run a TensorRT engine built for this GPU.

    The fastest path for most models at small batches. With a CUDA graph the whole inference is one
    launch, which nearly halves the latency of small models again.
    """

    name = "tensorrt"
    title = "TensorRT"
    requires = (tensorrt_library.REQUIREMENT, "cuda-bindings")
    install = tensorrt_library.INSTALL
    formats = ("tensorrt-engine",)
    devices = ("cuda",)
    family = "tensorrt"

    cuda_graph: bool = option(False, "Capture the inference once and replay it as one launch", label="CUDA graph")

    @classmethod
    def refuses_device(cls, device: str) -> str | None:
        return tensorrt_library.gpu_refusal(device)

    def check(self, spec: ModelSpec, device: str) -> str | None:
        reason = super().check(spec, device) or self.refuses_device(device)
        if not reason and self.cuda_graph and spec.state == "hidden":
            reason = "A CUDA graph replays the same memory, and this model changes hidden state at each call"
        return reason

    @classmethod
    def preload(cls) -> None:
        tensorrt_library.load()

    def open(self, artifact: Artifact, spec: ModelSpec, site: Site) -> Session:
        from engine.runtimes.tensorrt_session import TensorRTSession

        return TensorRTSession(artifact, spec, site, cuda_graph=self.cuda_graph)
