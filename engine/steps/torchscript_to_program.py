"""TorchScript to exported program, branches included."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.artifact import Artifact
from engine.errors import StepFailed, Unsupported
from engine.spec import ModelSpec
from engine.steps.base import Context, Step


@dataclass(frozen=True)
class TorchScriptToProgram(Step):
    """Turn a script into an exported program, which AOTInductor and the Dynamo exporter take.

    Uses PyTorch's own converter, which is private: branches become torch.cond, and the result is
    compared with the script on further inputs.
    """

    name = "torchscript-to-program"
    title = "TorchScript to program"
    formats = {"torchscript": "exported-program"}
    uses = ("examples",)
    requires = ("torch",)
    cost = 3.0

    def check(self, spec: ModelSpec, device: str) -> str | None:
        if spec.state == "hidden":
            return "the script changes hidden state at each call, which a captured graph would freeze"
        return None

    def apply(self, source: Artifact, context: Context) -> Artifact:
        import torch

        from engine.conversion.fidelity import compare
        from engine.formats import exported_program, torchscript

        script = torchscript.load(source.path)
        context.progress(0.1, "Converting the script's graph")
        program = converted(script, context)
        path = context.folder / "model.pt2"
        torch.export.save(program, str(path))
        module = exported_program.load(path).module()
        found = compare(script, module, context.spec, context, precision=source.precision)
        if found.diverged > found.refused:
            raise StepFailed(
                f"The converted program differs from the script on {found.diverged} of {found.of} inputs "
                f"(for example {found.example}).",
                "Use the script as it is, or upload weights with an architecture.",
            )
        if found.refused:
            context.warn(f"The program refuses {found.refused} of {found.of} inputs, for example {found.example}.")
        facts: dict[str, Any] = {"trusted": True}
        if context.static_batch is not None:
            facts["batch_size"] = context.static_batch
        return source.derive("exported-program", path, **facts)


def converted(script: Any, context: Context) -> Any:
    """The program, with the model's dynamic sizes dynamic and all others fixed."""
    import torch

    from engine.conversion.exporting import export_module
    from engine.conversion.quiet import quiet_jit
    from engine.torch_bridge import positional

    try:
        from torch._export.converter import TS2EPConverter
    except ImportError as error:
        raise Unsupported(
            f"PyTorch {torch.__version__} has no converter from TorchScript to exported programs.",
            "Convert to ONNX instead, or upload weights with an architecture.",
        ) from error
    feeds = context.example()
    try:
        with quiet_jit(), torch.no_grad():
            program = TS2EPConverter(script, positional(feeds, context.spec)).convert()
    except Exception as error:  # a private converter raises whatever it trips over
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise Unsupported(
            f"PyTorch can't convert this script to an exported program: {(lines or [type(error).__name__])[0][:240]}",
            "Convert to ONNX instead, or upload weights with an architecture.",
        ) from error
    return export_module(program.module(), context.spec, feeds, static=context.static_batch is not None).program
