"""Exported program to AOTInductor package."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.artifact import Artifact
from engine.errors import MissingDependency, StepFailed
from engine.plugin import option
from engine.runtimes.toolchain import missing_compiler, settle
from engine.spec import ModelSpec
from engine.steps.base import Context, Step

PACKAGE = "model.pt2"


@dataclass(frozen=True)
class AotCompile(Step):
    """Compile an exported program ahead of time into a shared library with its weights.

    The package runs only on the kind of device it was compiled on, from Python or C++.
    """

    name = "aot-compile"
    title = "AOTInductor"
    version = 1
    requires = ("torch",)
    formats = {"exported-program": "aot-inductor"}
    uses = ("examples", "batch", "device", "threads")
    cost = 2.0

    max_autotune: bool = option(False, "Time several kernels for each matrix product and convolution, keep the fastest")
    tf32: bool = option(False, "Use TF32 tensor cores for FP32 matrix products and convolutions (GPU)", label="TF32")

    @classmethod
    def missing(cls) -> MissingDependency | None:
        return super().missing() or missing_compiler(cls.title)

    def times_kernels(self) -> bool:
        return self.max_autotune

    def check(self, spec: ModelSpec, device: str) -> str | None:
        if self.tf32 and device == "cpu":
            return "TF32 needs an NVIDIA GPU"
        return super().check(spec, device)

    def apply(self, source: Artifact, context: Context) -> Artifact:
        settle()
        import torch
        import torch._inductor

        from engine.errors import first_line
        from engine.formats import exported_program
        from engine.runtimes.torch_session import require_device

        device = context.device
        require_device(device)
        context.progress(0.0, "Reading the exported program")
        program = placed(exported_program.load(source.path), context)
        path = context.folder / PACKAGE
        context.progress(None, "Compiling with Inductor; this takes a minute or two")
        matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
        before = (matmul.allow_tf32, cudnn.allow_tf32)
        matmul.allow_tf32 = cudnn.allow_tf32 = self.tf32
        try:
            torch._inductor.aoti_compile_and_package(
                program, package_path=str(path), inductor_configs=self.settings(device)
            )
        except RuntimeError as error:
            raise StepFailed(
                f"Inductor can't compile this program ahead of time: {first_line(error)}.",
                "Run the module with torch-compile, or take another route.",
            ) from error
        finally:
            matmul.allow_tf32, cudnn.allow_tf32 = before
        details: dict[str, Any] = {"device": device.partition(":")[0]}
        if context.static_batch is not None:
            details["batch_size"] = context.static_batch
        if self.tf32 and source.precision == "fp32":
            details["precision"] = "tf32"
        return source.derive("aot-inductor", path, **details)

    def settings(self, device: str) -> dict[str, Any]:
        """Inductor's settings for this package."""
        settings: dict[str, Any] = {"max_autotune": self.max_autotune}
        if device == "cpu":
            # The package is kept for any number of threads, so the number is asked for when it runs.
            settings["cpp.dynamic_threads"] = True
        return settings


def placed(program: Any, context: Context) -> Any:
    """The program on its device; captured anew for one batch size where only that one is wanted."""
    import torch
    from torch.export.passes import move_to_device_pass

    from engine.torch_bridge import positional

    if context.static_batch is not None and program.range_constraints:
        example = positional(context.example(), context.spec)
        program = torch.export.export(program.module(), example)
    return program if context.device == "cpu" else move_to_device_pass(program, context.device)
