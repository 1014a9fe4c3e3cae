"""AOTInductor packages: a model compiled ahead of time into a shared library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.artifact import Artifact
from engine.errors import BadInput
from engine.plugin import option
from engine.runtimes.base import Runtime, Session, Site
from engine.runtimes.eager import gpu_options, lowered
from engine.runtimes.torch_session import Call, TorchSession, set_up
from engine.spec import ModelSpec


@dataclass(frozen=True)
class AotInductor(Runtime):
    """Run a package that Inductor compiled ahead of time.

    Loads at once and needs no compiler where it runs; the kernels are those of torch.compile.
    """

    name = "aoti"
    title = "AOTInductor"
    requires = ("torch",)
    formats = ("aot-inductor",)
    modules = ("torch",)
    family = "compile"

    tf32: bool = option(False, "Use TF32 tensor cores for FP32 matrix products and convolutions (GPU)", label="TF32")
    cuda_graph: bool = option(False, "Capture the whole inference once and replay it (GPU)", label="CUDA graph")

    def check(self, spec: ModelSpec, device: str) -> str | None:
        return super().check(spec, device) or gpu_options(self, spec, device)

    def precision(self, artifact_precision: str, device: str) -> str:
        return lowered(artifact_precision, device, self.tf32)

    def open(self, artifact: Artifact, spec: ModelSpec, site: Site) -> Session:
        check_device(artifact, site.device)
        restore = set_up(site, tf32=self.tf32)

        def load() -> Call:
            return load_package(str(artifact.path), site.device, single_threaded=self.cuda_graph)

        session = TorchSession(
            load,
            spec,
            site,
            batch_size=artifact.details.get("batch_size"),
            cuda_graph=self.cuda_graph,
            restore=restore,
        )
        session.details.update(tf32=self.tf32, cuda_graph=self.cuda_graph)
        return session


def check_device(artifact: Artifact, device: str) -> None:
    """Raise BadInput when a package was compiled for another kind of device."""
    built_for = str(artifact.details.get("device", device)).partition(":")[0]
    if built_for != device.partition(":")[0]:
        raise BadInput(
            f"This AOTInductor package was compiled for {built_for}, not {device}.",
            "Compile it again on this device.",
        )


def load_package(path: str, device: str, *, single_threaded: bool) -> Call:
    """The package as a callable that takes tensors and gives a flat list of tensors.

    This is what `torch._inductor.aoti_load_package` wraps. The wrapper imports the whole compiler,
    which takes seconds, and parses the nesting of inputs and outputs again at every call.
    `single_threaded` leaves out a lock that can't be captured into a CUDA graph.
    """
    import torch

    index = int(device.partition(":")[2] or 0) if device != "cpu" else -1
    loader = torch._C._aoti.AOTIModelPackageLoader(path, "model", single_threaded, 1, index)

    def call(*inputs: Any) -> Any:
        return loader.boxed_run([each for each in inputs if isinstance(each, torch.Tensor)])

    return call
