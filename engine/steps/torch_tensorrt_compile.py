"""Torch-TensorRT ahead of time: TensorRT engines inside a PyTorch program, the rest stays in PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.artifact import Artifact
from engine.errors import Unsupported
from engine.plugin import option
from engine.profiling.operations import work_details
from engine.runtimes import torch_tensorrt_library as torch_tensorrt
from engine.runtimes.tensorrt_library import gpu_refusal
from engine.spec import ModelSpec
from engine.steps.base import Context, Step

NAME = "torch-tensorrt-compile"
PROGRAM, SCRIPT = "model.pt2", "model.ts"


@dataclass(frozen=True)
class CompileProgram(Step):
    """Compile an exported program with Torch-TensorRT's Dynamo frontend and save it.

    Operators that TensorRT does not take stay in PyTorch, so nearly every model works. The
    program's own types decide the precision: put `half` before it for FP16.
    """

    name = NAME
    title = "Torch-TensorRT (Dynamo)"
    version = 2  # FP32 by TensorRT for RTX is called TF32
    requires = ("torch", torch_tensorrt.REQUIREMENT)
    install = torch_tensorrt.INSTALL
    formats = {"exported-program": "torch-tensorrt"}
    uses = ("examples", "batch", "device")
    devices = ("cuda",)

    tf32: bool = option(False, "Let FP32 matrix products and convolutions use TF32 tensor cores", label="TF32")
    save_as: str = option("program", "What to save: an exported program or TorchScript", choices=("program", "script"))
    min_block_size: int = option(5, "Fewest operators that are worth an engine of their own", min=1, max=100)
    optimization_level: int = option(3, "How long the builder searches for fast kernels", min=0, max=5)
    sparse: bool = option(
        False, "Use sparse tensor cores where weights have the 2:4 pattern", label="2:4 sparse weights"
    )

    def times_kernels(self) -> bool:
        return torch_tensorrt.times_kernels()

    @classmethod
    def refuses_device(cls, device: str) -> str | None:
        return gpu_refusal(device)

    def check(self, spec: ModelSpec, device: str) -> str | None:
        return torch_tensorrt.refusal(spec, device)

    def apply(self, source: Artifact, context: Context) -> Artifact:
        import torch

        library = torch_tensorrt.load()
        batches = batches_of(context)
        settings = torch_tensorrt.dynamo_settings(
            disable_tf32=not self.tf32,
            min_block_size=self.min_block_size,
            optimization_level=self.optimization_level,
            sparse_weights=self.sparse,
        )
        try:
            context.progress(0.05, "Exporting for the batch sizes to serve")
            program, arguments, dynamic = exported(source.path, context, batches)
            context.progress(0.2, "Torch-TensorRT is building engines")
            inputs = torch_tensorrt.inputs_for(context.spec, batches)
            with torch.no_grad():
                compiled = library.dynamo.compile(program, inputs=inputs, device=context.device, **settings)
            context.progress(0.9, "Saving")
            path = self.save(library, compiled, context.folder, arguments, dynamic)
        except Exception as error:  # the compiler raises whatever its parts raise
            raise torch_tensorrt.explained(error, "compiling with Torch-TensorRT") from error
        report = torch_tensorrt.hybrid(torch_tensorrt.program_kinds(compiled.graph))
        torch_tensorrt.require_engines(report)
        report |= work_details(source, context.spec)
        facts = described(self.tf32, source, context, library)
        return source.derive("torch-tensorrt", path, **facts, **report)

    def save(self, library: Any, compiled: Any, folder: Path, arguments: tuple[Any, ...], dynamic: Any) -> Path:
        """Write the compiled program in the chosen form."""
        import torch

        if self.save_as == "script":
            path = folder / SCRIPT
            with torch.no_grad():
                torch.jit.save(torch.jit.trace(compiled, arguments), str(path))
            return path
        path = folder / PROGRAM
        library.save(
            compiled, str(path), output_format="exported_program", arg_inputs=arguments, dynamic_shapes=dynamic
        )
        return path


@dataclass(frozen=True)
class CompileScript(Step):
    """Compile TorchScript with Torch-TensorRT's TorchScript frontend and save it.

    For models that exist as TorchScript only, control flow included: what TensorRT does not take
    stays in PyTorch. Models in PyTorch code run faster through the Dynamo frontend.
    """

    name = NAME
    title = "Torch-TensorRT (TorchScript)"
    version = 2  # FP32 by TensorRT for RTX is called TF32
    requires = ("torch", torch_tensorrt.REQUIREMENT)
    install = torch_tensorrt.INSTALL
    formats = {"torchscript": "torch-tensorrt"}
    uses = ("batch", "device")
    cost = 1.5
    devices = ("cuda",)

    tf32: bool = option(False, "Let FP32 matrix products and convolutions use TF32 tensor cores", label="TF32")
    min_block_size: int = option(3, "Fewest operators that are worth an engine of their own", min=1, max=100)
    sparse: bool = option(
        False, "Use sparse tensor cores where weights have the 2:4 pattern", label="2:4 sparse weights"
    )

    def times_kernels(self) -> bool:
        return torch_tensorrt.times_kernels()

    @classmethod
    def refuses_device(cls, device: str) -> str | None:
        return gpu_refusal(device)

    def check(self, spec: ModelSpec, device: str) -> str | None:
        return torch_tensorrt.refusal(spec, device)

    def apply(self, source: Artifact, context: Context) -> Artifact:
        import torch

        from engine.formats import torchscript

        library = torch_tensorrt.load()
        if not library.ENABLED_FEATURES.torchscript_frontend:
            raise Unsupported("This Torch-TensorRT has no TorchScript frontend.", "Use the Dynamo frontend.")
        precision = {"fp16": torch.float16, "bf16": torch.bfloat16}.get(source.precision, torch.float32)
        try:
            context.progress(0.1, "Torch-TensorRT is building engines")
            script = torchscript.load(source.path).to(context.device).eval()
            compiled = library.compile(
                script,
                ir="ts",
                inputs=torch_tensorrt.inputs_for(context.spec, batches_of(context)),
                enabled_precisions={precision},
                disable_tf32=not self.tf32,
                sparse_weights=self.sparse,
                min_block_size=self.min_block_size,
                truncate_long_and_double=True,
            )
            path = context.folder / SCRIPT
            torch.jit.save(compiled, str(path))
        except Exception as error:  # the compiler raises whatever its parts raise
            raise torch_tensorrt.explained(error, "compiling with Torch-TensorRT") from error
        report = torch_tensorrt.hybrid(torch_tensorrt.script_kinds(compiled))
        torch_tensorrt.require_engines(report)
        facts = described(self.tf32, source, context, library)
        return source.derive("torch-tensorrt", path, **facts, **report)


def batches_of(context: Context) -> tuple[int, int, int]:
    """Smallest, best and largest batch size to serve; all the same for a static build."""
    static = context.static_batch
    return (static, static, static) if static else context.batch_range


def described(tf32: bool, source: Artifact, context: Context, library: Any) -> dict[str, Any]:
    """The details of the compiled artifact."""
    static = context.static_batch
    precision = torch_tensorrt.precision_of(tf32, source.precision)
    if precision == "tf32" and not tf32:
        context.warn("TensorRT for RTX computes in TF32 although TF32 is off; this program counts as TF32.")
    return {
        **torch_tensorrt.facts(library),
        "precision": precision,
        **({"batch_size": static} if static else {"batch_range": list(context.batch_range)}),
    }


def exported(path: Path, context: Context, batches: tuple[int, int, int]) -> tuple[Any, tuple[Any, ...], Any]:
    """The program exported again on the GPU for exactly these batch sizes, its arguments and dynamic shapes.

    The engine's profile comes from the program's own ranges, which are wider, or unbounded, in a
    program that was exported for every batch size.
    """
    import torch
    from torch.export.passes import move_to_device_pass

    from engine.formats import exported_program
    from engine.torch_bridge import positional

    module = move_to_device_pass(exported_program.load(path), context.device).module()
    low, best, high = batches
    dynamic = dynamic_shapes(context.spec, low, high)
    size = best if dynamic is None else max(2, best)
    arguments = positional(context.example(size), context.spec, context.device)
    with torch.no_grad():
        return torch.export.export(module, arguments, dynamic_shapes=dynamic, strict=False), arguments, dynamic


def dynamic_shapes(spec: ModelSpec, low: int, high: int) -> Any:
    """torch.export's description of a batch dimension shared by every input that has it, or None."""
    import torch

    if low == high or spec.batch_dimension is None:
        return None
    batch = torch.export.Dim("batch", min=low, max=high)
    return tuple(
        {index: batch for index, size in enumerate(each.shape) if size == spec.batch_dimension}
        for each in spec.tensor_inputs
    )
