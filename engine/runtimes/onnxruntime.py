"""ONNX Runtime on the CPU or with its CUDA provider."""

from __future__ import annotations

from dataclasses import dataclass

from engine.artifact import Artifact
from engine.plugin import option
from engine.runtimes.base import Runtime, Session, Site
from engine.runtimes.ort_session import OrtPlan, OrtSession
from engine.spec import ModelSpec

# In FP16 on x86 it kills the process at a Transpose before a MatMul (microsoft/onnxruntime#28392), and wins no time.
BREAKS_FP16 = ("NchwcTransformer",)


@dataclass(frozen=True)
class OnnxRuntime(Runtime):
    """Run an ONNX graph with ONNX Runtime.

    It optimizes and fuses the graph when it loads it. Inputs and outputs stay on the device.
    """

    name = "onnxruntime"
    title = "ONNX Runtime"
    requires = ("onnxruntime-gpu|onnxruntime",)
    install = "pip install onnxruntime-gpu"
    formats = ("onnx",)
    modules = ("onnxruntime",)
    family = "onnxruntime"

    graph_optimization: str = option(
        "all", "How far the graph is optimized when it is loaded", choices=("all", "extended", "basic", "none")
    )
    tf32: bool = option(False, "Use TF32 tensor cores for FP32 matrix products and convolutions (GPU)", label="TF32")
    cuda_graph: bool = option(False, "Capture the whole inference once and replay it (GPU)", label="CUDA graph")
    nhwc: bool = option(False, "Run convolutions in channels-last layout (GPU)", label="NHWC")

    def check(self, spec: ModelSpec, device: str) -> str | None:
        if device == "cpu":
            for chosen, what in ((self.cuda_graph, "A CUDA graph"), (self.tf32, "TF32"), (self.nhwc, "NHWC")):
                if chosen:
                    return f"{what} needs an NVIDIA GPU"
        if self.cuda_graph and spec.control_flow:
            return "A CUDA graph records one path, and this model branches on its data"
        return super().check(spec, device)

    def precision(self, artifact_precision: str, device: str) -> str:
        return "tf32" if self.tf32 and artifact_precision == "fp32" and device != "cpu" else artifact_precision

    def open(self, artifact: Artifact, spec: ModelSpec, site: Site) -> Session:
        from engine.formats import onnx

        session = OrtSession(
            onnx.model_path(artifact.path),
            spec,
            site,
            self.plan(site, artifact.precision),
            batch_size=artifact.details.get("batch_size"),
            input_names=artifact.details.get("input_names", ()),
        )
        session.details.update(tf32=self.tf32, cuda_graph=self.cuda_graph)
        return session

    def plan(self, site: Site, precision: str) -> OrtPlan:
        """The providers and their settings."""
        if site.device == "cpu":
            return OrtPlan(
                providers=[("CPUExecutionProvider", {})],
                graph_optimization=self.graph_optimization,
                disabled=BREAKS_FP16 if precision == "fp16" else (),
            )
        cuda = {
            "device_id": site.device.partition(":")[2] or "0",
            "use_tf32": str(int(self.tf32)),
            "enable_cuda_graph": str(int(self.cuda_graph)),
            "prefer_nhwc": str(int(self.nhwc)),
        }
        return OrtPlan(
            providers=[("CUDAExecutionProvider", cuda), ("CPUExecutionProvider", {})],
            graph_optimization=self.graph_optimization,
            cuda_graph=self.cuda_graph,
        )
