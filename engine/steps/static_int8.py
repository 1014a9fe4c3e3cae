"""Static INT8 of PyTorch modules: weights and activations, with calibration (PT2E)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.artifact import Artifact
from engine.errors import BadInput, Unsupported
from engine.plugin import option
from engine.spec import ModelSpec
from engine.steps.base import Context, Step

FEWEST_SAMPLES = 8
BATCH_SIZE = 16


@dataclass(frozen=True)
class StaticInt8(Step):
    """Quantize weights and activations to INT8, with ranges calibrated on the data set.

    About four times smaller. Faster only where the runtime has integer kernels for the graph; run operator
    by operator it is slower. For ONNX Runtime and TensorRT use int8-qdq.
    """

    name = "static-int8"
    title = "Static INT8 (PyTorch)"
    formats = {"torch-module": "exported-program"}
    uses = ("examples", "dataset", "threads")
    requires = ("torch", "torchao")
    kind = "quantization"
    cost = 5.0
    paper = "Jacob et al. 2018, https://arxiv.org/abs/1712.05877"

    samples: int = option(256, "Calibration samples", min=FEWEST_SAMPLES, max=4096)
    observer: str = option(
        "histogram", "How ranges are found: least error, or the extremes", choices=("histogram", "min-max")
    )
    keep: str = option("", "Layers to keep in higher precision, separated by commas", kind="layers")

    @classmethod
    def accepts(cls, spec: ModelSpec) -> str | None:
        return "it changes the model's numbers, so a recipe has to name it"

    def check(self, spec: ModelSpec, device: str) -> str | None:
        return (
            "the model branches or loops on its data, which torch.export can't capture" if spec.control_flow else None
        )

    def apply(self, source: Artifact, context: Context) -> Artifact:
        import torch
        from torchao.quantization.pt2e.quantize_pt2e import prepare_pt2e

        from engine.conversion.exporting import dynamic_shapes
        from engine.formats import torch_module
        from engine.torch_bridge import positional
        from engine.training.modes import require_full_precision
        from engine.training.quantized_graph import capture, make_quantizer
        from engine.training.tensors import tensors_of

        data = tensors_of(context.dataset("calibration"), context.spec)
        if len(data) < FEWEST_SAMPLES:
            raise BadInput(
                f"Calibration needs at least {FEWEST_SAMPLES} samples, and there are {len(data)}.",
                "Choose a larger data set.",
            )
        torch.set_num_threads(context.threads)
        module = torch_module.load(source.path)
        require_full_precision(module, self.title)
        shapes = dynamic_shapes(module, context.spec, batch_of(context.spec))
        inputs = positional(context.example(), context.spec)
        graph = capture(module, inputs, shapes)
        prepared = prepare_pt2e(graph, make_quantizer(graph, self.keep, observer=self.observer))
        fixed = context.spec.fixed_batch
        used, size = usable(min(self.samples, len(data)), fixed), fixed or BATCH_SIZE
        with torch.no_grad():
            for start in range(0, used, size):
                context.progress(0.1 + 0.6 * start / used, f"Calibrating, {start} of {used} samples")
                batch = data.take(torch.arange(start, min(start + size, used)))
                prepared(*batch.inputs)
        return save_quantized(prepared, inputs, shapes, source, context)


def usable(samples: int, fixed: int | None) -> int:
    """How many samples make whole batches of a fixed size; raises BadInput when there are too few for one."""
    if fixed is None:
        return samples
    if samples < fixed:
        raise BadInput(f"The model takes batches of {fixed}, and there are {samples} samples.", "Use more samples.")
    return samples - samples % fixed


def batch_of(spec: ModelSpec) -> set[str]:
    """The dimension that stays dynamic while calibrating and training: the batch."""
    return {spec.batch_dimension} if spec.batch_dimension else set()


def save_quantized(prepared: Any, inputs: tuple[Any, ...], shapes: Any, source: Artifact, context: Context) -> Artifact:
    """Convert a calibrated or trained graph, export it again and write it."""
    import torch

    from engine.training.quantized_graph import converted, quantized_layers

    context.progress(0.8, "Converting")
    graph = converted(prepared)
    report = quantized_layers(graph)
    if not any(each["bits"] == 8 for each in report):
        raise Unsupported(
            "No layer of the model could be quantized.", "Try quantize-weights, or int8-qdq on its ONNX form."
        )
    with torch.no_grad():
        final = shapes if context.static_batch is None else None
        program = torch.export.export(graph, inputs, dynamic_shapes=final, strict=False)
    path = context.folder / "model.pt2"
    torch.export.save(program, str(path))
    facts = {"batch_size": context.static_batch} if context.static_batch is not None else {}
    return source.derive("exported-program", path, precision="int8", report=report, trusted=True, **facts)
