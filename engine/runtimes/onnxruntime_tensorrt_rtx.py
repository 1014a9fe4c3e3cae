"""ONNX Runtime with the TensorRT for RTX provider, which comes as a plugin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.artifact import Artifact
from engine.errors import MissingDependency, Unsupported
from engine.plugin import option
from engine.runtimes.base import Runtime, Session, Site
from engine.runtimes.cuda_libraries import preload
from engine.runtimes.onnxruntime_tensorrt import engine_cache, profile_shapes
from engine.runtimes.ort_session import OrtPlan, OrtSession, placement
from engine.runtimes.tensorrt_library import gpu_refusal
from engine.spec import ModelSpec

PLUGIN = "onnxruntime-ep-nv-tensorrt-rtx"


@dataclass(frozen=True)
class OnnxRuntimeTensorRTRtx(Runtime):
    """Run an ONNX graph with ONNX Runtime's plugin provider for TensorRT for RTX.

    Kernels are compiled once for each batch size and kept in a cache. The plugin brings its own TensorRT for
    RTX. It has no switch for TF32, so an FP32 graph counts as TF32 here.
    """

    name = "onnxruntime-tensorrt-rtx"
    title = "ONNX Runtime with TensorRT for RTX"
    requires = ("onnxruntime-gpu", f"{PLUGIN}|{PLUGIN}-cu13|{PLUGIN}-cu12")
    install = f"pip install onnxruntime-gpu {PLUGIN}-cu13"
    formats = ("onnx",)
    modules = ("onnxruntime",)
    devices = ("cuda",)
    family = "onnxruntime"
    compiles = True

    cuda_graph: bool = option(False, "Capture the whole inference once and replay it", label="CUDA graph")

    @classmethod
    def refuses_device(cls, device: str) -> str | None:
        return gpu_refusal(device)

    def check(self, spec: ModelSpec, device: str) -> str | None:
        if self.cuda_graph and spec.control_flow:
            return "A CUDA graph records one path, and this model branches on its data"
        return super().check(spec, device) or self.refuses_device(device)

    def precision(self, artifact_precision: str, device: str) -> str:
        return "tf32" if artifact_precision == "fp32" else artifact_precision

    def open(self, artifact: Artifact, spec: ModelSpec, site: Site) -> Session:
        from engine.formats import onnx

        index = int(site.device.partition(":")[2] or 0)
        devices = plugin_devices()
        if index >= len(devices):
            raise MissingDependency(
                f"The TensorRT for RTX provider offers {len(devices)} GPUs and {site.device} was asked for.",
                "Check the driver and the GPU with nvidia-smi.",
            )
        settings = {
            "enable_cuda_graph": str(int(self.cuda_graph)),
            "nv_runtime_cache_path": str(engine_cache(site)),
            **{f"nv_{name}": value for name, value in profile_shapes(artifact, spec, site.batch_size).items()},
        }
        device = devices[index]

        def configure(options: Any) -> None:
            options.add_provider_for_devices([device], settings)

        plan = OrtPlan(providers=[(device.ep_name, settings)], cuda_graph=self.cuda_graph, configure=configure)
        session = PluginSession(
            onnx.model_path(artifact.path),
            spec,
            site,
            plan,
            batch_size=artifact.details.get("batch_size"),
            input_names=artifact.details.get("input_names", ()),
        )
        session.details.update(tf32=True, cuda_graph=self.cuda_graph, library=plugin_version())
        return session


class PluginSession(OrtSession):
    """Says what the plugin took: it calls itself differently as a device and as a provider."""

    def describe(self) -> None:
        import onnxruntime

        counts, fallbacks = placement(self.session)
        used = list(self.session.get_providers())
        self.details.update(onnxruntime=onnxruntime.__version__, providers=used, nodes=counts)
        if counts and not any(count for name, count in counts.items() if name != "CPU"):
            raise Unsupported(
                "The TensorRT for RTX provider took no node of this graph.", "The log says why; try the CUDA provider."
            )
        if fallbacks:
            self.details["fallbacks"] = fallbacks


def plugin_devices() -> list[Any]:
    """The GPUs that the plugin offers, registering it once in this process."""
    import onnxruntime

    preload()
    import onnxruntime_ep_nv_tensorrt_rtx as plugin

    name = plugin.get_ep_name()
    found = [each for each in onnxruntime.get_ep_devices() if each.ep_name == name]
    if not found:
        onnxruntime.register_execution_provider_library(name, plugin.get_library_path())
        found = [each for each in onnxruntime.get_ep_devices() if each.ep_name == name]
    return found


def plugin_version() -> str:
    """The plugin's name and version, for the report."""
    import onnxruntime_ep_nv_tensorrt_rtx as plugin

    return f"{PLUGIN} {plugin.__version__}"
