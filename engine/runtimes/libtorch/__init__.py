"""LibTorch in C++: the same model with no Python interpreter in the process."""

from __future__ import annotations

from dataclasses import dataclass

from engine.artifact import Artifact
from engine.errors import MissingDependency
from engine.plugin import option
from engine.runtimes.aoti import check_device
from engine.runtimes.base import Runtime, Session, Site
from engine.runtimes.eager import lowered
from engine.runtimes.toolchain import missing_compiler
from engine.spec import ModelSpec


@dataclass(frozen=True)
class LibTorch(Runtime):
    """Run TorchScript from a small C++ program.

    Shows that the model leaves Python behind, and what the interpreter costs. The program is
    compiled with the first model that needs it.
    """

    name = "libtorch"
    title = "LibTorch (C++)"
    requires = ("torch", "filelock")
    formats = ("torchscript",)
    family = "libtorch"
    compiles = True

    optimize: bool = option(True, "Let the profiling executor specialize and optimize the graph")
    tf32: bool = option(False, "Use TF32 tensor cores for FP32 matrix products and convolutions (GPU)", label="TF32")

    @classmethod
    def missing(cls) -> MissingDependency | None:
        return super().missing() or missing_compiler(cls.title, headers=False)

    def check(self, spec: ModelSpec, device: str) -> str | None:
        return refused(self.tf32, spec, device) or super().check(spec, device)

    def precision(self, artifact_precision: str, device: str) -> str:
        return lowered(artifact_precision, device, self.tf32)

    def open(self, artifact: Artifact, spec: ModelSpec, site: Site) -> Session:
        return start(artifact, spec, site, kind="script", optimize=self.optimize, tf32=self.tf32)


@dataclass(frozen=True)
class LibTorchAoti(Runtime):
    """Run an AOTInductor package from a small C++ program.

    Compiled kernels and no interpreter: the least that stands between the model and the hardware.
    """

    name = "libtorch-aoti"
    title = "AOTInductor in C++"
    requires = ("torch", "filelock")
    formats = ("aot-inductor",)
    family = "libtorch"
    compiles = True

    tf32: bool = option(False, "Use TF32 tensor cores for FP32 matrix products and convolutions (GPU)", label="TF32")

    @classmethod
    def missing(cls) -> MissingDependency | None:
        return super().missing() or missing_compiler(cls.title, headers=False)

    def check(self, spec: ModelSpec, device: str) -> str | None:
        return refused(self.tf32, spec, device) or super().check(spec, device)

    def precision(self, artifact_precision: str, device: str) -> str:
        return lowered(artifact_precision, device, self.tf32)

    def open(self, artifact: Artifact, spec: ModelSpec, site: Site) -> Session:
        check_device(artifact, site.device)
        return start(artifact, spec, site, kind="package", optimize=True, tf32=self.tf32)


def refused(tf32: bool, spec: ModelSpec, device: str) -> str | None:
    """Why the C++ program can't run this model on this device, or None."""
    if tf32 and device == "cpu":
        return "TF32 needs an NVIDIA GPU"
    text = next((each.name for each in spec.inputs if isinstance(each.constant, str)), None)
    return f"The C++ program takes numbers and tensors, and the input {text} is text" if text else None


def start(artifact: Artifact, spec: ModelSpec, site: Site, *, kind: str, optimize: bool, tf32: bool) -> Session:
    """Start the program and load the artifact into it."""
    from engine.plugin import installed_version
    from engine.runtimes.libtorch.compilation import program
    from engine.runtimes.libtorch.process import LibTorchSession

    session = LibTorchSession(
        program(site.device, site.cache),
        (kind, site.device, max(1, site.threads), int(optimize), int(tf32), artifact.path),
        spec,
        site,
        batch_size=artifact.details.get("batch_size"),
    )
    session.details.update(libtorch=installed_version("torch"), optimize=optimize, tf32=tf32)
    return session
