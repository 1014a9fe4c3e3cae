"""ONNX Runtime with its TensorRT provider: engines for the parts TensorRT takes, CUDA for the rest."""

from __future__ import annotations

import ctypes
import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.artifact import Artifact
from engine.plugin import option
from engine.runtimes.base import Runtime, Session, Site
from engine.runtimes.ort_session import OrtPlan, OrtSession
from engine.runtimes.tensorrt_library import gpu_refusal
from engine.spec import ModelSpec

PROVIDER = "TensorrtExecutionProvider"
LIBRARIES = ("libnvinfer.so", "libnvinfer_plugin.so", "libnvonnxparser.so")


@dataclass(frozen=True)
class OnnxRuntimeTensorRT(Runtime):
    """Run an ONNX graph with ONNX Runtime's TensorRT provider.

    What TensorRT does not take runs on the CUDA provider, so nearly every graph works. Engines are
    built once for each batch size and kept in a cache. Needs the TensorRT that this ONNX Runtime was
    built for. Not yet run against TensorRT by its authors: only TensorRT for RTX was at hand.
    """

    name = "onnxruntime-tensorrt"
    title = "ONNX Runtime with TensorRT"
    requires = ("onnxruntime-gpu", "tensorrt|tensorrt-cu13|tensorrt-cu12")
    install = "pip install onnxruntime-gpu tensorrt"
    formats = ("onnx",)
    modules = ("onnxruntime",)
    devices = ("cuda",)
    family = "onnxruntime"
    compiles = True

    tf32: bool = option(False, "Use TF32 tensor cores for FP32 matrix products and convolutions", label="TF32")
    cuda_graph: bool = option(False, "Capture the whole inference once and replay it", label="CUDA graph")
    optimization_level: int = option(3, "How long the builder searches for fast kernels", min=0, max=5)

    def times_kernels(self) -> bool:
        return True

    @classmethod
    def refuses_device(cls, device: str) -> str | None:
        return gpu_refusal(device)

    def check(self, spec: ModelSpec, device: str) -> str | None:
        if self.cuda_graph and spec.control_flow:
            return "A CUDA graph records one path, and this model branches on its data"
        return super().check(spec, device) or self.refuses_device(device)

    def precision(self, artifact_precision: str, device: str) -> str:
        return "tf32" if self.tf32 and artifact_precision == "fp32" else artifact_precision

    def open(self, artifact: Artifact, spec: ModelSpec, site: Site) -> Session:
        from engine.formats import onnx

        if not self.tf32:
            # The provider has no option for it; every NVIDIA library reads this variable when it starts.
            os.environ["NVIDIA_TF32_OVERRIDE"] = "0"
        preload()
        index = site.device.partition(":")[2] or "0"
        cache = engine_cache(site)
        settings = {
            "device_id": index,
            "trt_engine_cache_enable": "1",
            "trt_engine_cache_path": str(cache),
            "trt_timing_cache_enable": "1",
            "trt_timing_cache_path": str(cache),
            "trt_builder_optimization_level": str(self.optimization_level),
            "trt_cuda_graph_enable": str(int(self.cuda_graph)),
            **{f"trt_{name}": value for name, value in profile_shapes(artifact, spec, site.batch_size).items()},
        }
        cuda = {"device_id": index, "use_tf32": str(int(self.tf32))}
        plan = OrtPlan(
            providers=[(PROVIDER, settings), ("CUDAExecutionProvider", cuda), ("CPUExecutionProvider", {})],
            cuda_graph=self.cuda_graph,
        )
        session = OrtSession(
            onnx.model_path(artifact.path),
            spec,
            site,
            plan,
            batch_size=artifact.details.get("batch_size"),
            input_names=artifact.details.get("input_names", ()),
        )
        session.details.update(tf32=self.tf32, cuda_graph=self.cuda_graph)
        return session


def preload() -> None:
    """Load TensorRT's libraries from their wheel, which lie on no search path."""
    spec = importlib.util.find_spec("tensorrt_libs")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for name in LIBRARIES:
            for path in sorted(Path(folder).glob(f"{name}.[0-9]*")):
                ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)


def engine_cache(site: Site) -> Path:
    """Where engines for this batch size are kept."""
    folder = site.cache / f"batch-{site.batch_size}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def profile_shapes(artifact: Artifact, spec: ModelSpec, batch_size: int) -> Mapping[str, str]:
    """The provider's profile for exactly the shapes of one batch size; empty when nothing is dynamic."""
    if artifact.details.get("batch_size"):
        return {}
    names = list(artifact.details.get("input_names") or ()) or [each.name for each in spec.inputs]
    shapes = [
        f"{name}:{'x'.join(map(str, tensor.concrete(spec.sizes_at(batch_size))))}"
        for name, tensor in zip(names, spec.inputs, strict=False)
        if tensor.constant is None and tensor.dynamic
    ]
    text = ",".join(shapes)
    return {f"profile_{bound}_shapes": text for bound in ("min", "opt", "max")} if shapes else {}
