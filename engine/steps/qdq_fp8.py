"""FP8 by explicit quantize and dequantize nodes in an ONNX graph."""

from __future__ import annotations

from dataclasses import dataclass

from engine.artifact import Artifact
from engine.errors import Unsupported
from engine.plugin import option
from engine.steps.base import Context, Step
from engine.steps.calibration import calibration_batches, excluded_nodes, require_fp32
from engine.steps.qdq_modelopt import DISTRIBUTIONS, INSTALL, quantize_with_modelopt


@dataclass(frozen=True)
class Fp8QDQ(Step):
    """Quantize weights and activations to 8-bit floating point (E4M3), with scales found on your data.

    Keeps more range than INT8 at the same size. Fast on GPUs with FP8 tensor cores (Ada, Hopper,
    Blackwell) through TensorRT. Whether the outputs are still right is decided by parity.
    """

    name = "fp8-qdq"
    title = "FP8 (Q/DQ)"
    version = 1
    requires = ("onnx", *DISTRIBUTIONS)
    install = INSTALL
    formats = {"onnx": "onnx"}
    uses = ("dataset",)
    kind = "quantization"
    paper = "https://arxiv.org/abs/2209.05433"

    calibration: str = option(
        "minmax", "How a tensor's range is chosen from what was seen", choices=("minmax", "entropy")
    )
    samples: int = option(128, "Calibration samples to use at most", min=8, max=4096)
    rest: str = option(
        "fp16", "Precision of what is not quantized", choices=("fp16", "fp32"), label="Everything else in"
    )
    exclude: str = option("", "Nodes to leave as they are: names or patterns, comma-separated", kind="layers")

    def apply(self, source: Artifact, context: Context) -> Artifact:
        from engine.formats import onnx

        require_fp32(source, self.name)
        path = onnx.model_path(source.path)
        model = onnx.load(path)
        samples = context.dataset("calibration")
        if len(samples) < self.samples:
            context.warn(f"Calibrated on {len(samples)} samples; {self.samples} were wanted.")
        data = calibration_batches(model.graph, source, context.spec, samples, self.samples)
        nodes = excluded_nodes(model, self.exclude)
        context.progress(0.1, f"Calibrating on {len(data)} batches")
        result = context.folder / "model.onnx"
        quantize_with_modelopt(path, result, data, "fp8", self.calibration, nodes, rest=self.rest)
        quantized = onnx.load(result, weights=False)
        if not any(each.op_type == "QuantizeLinear" for each in quantized.graph.node):
            raise Unsupported(
                "ModelOpt found nothing in this graph to quantize to FP8.", "It takes convolutions and matrix products."
            )
        return source.derive("onnx", result, precision="fp8", calibration_samples=len(samples))
