"""INT8 by explicit quantize and dequantize nodes in an ONNX graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.artifact import Artifact
from engine.errors import StepFailed
from engine.plugin import option
from engine.spec import ModelSpec
from engine.steps.base import Context, Step
from engine.steps.calibration import CalibrationBatches, calibration_batches, excluded_nodes, require_fp32
from engine.steps.qdq_modelopt import missing_modelopt, quantize_with_modelopt
from engine.steps.qdq_report import layer_errors

METHODS = {"minmax": "MinMax", "entropy": "Entropy", "percentile": "Percentile"}
PRODUCTS = ["Conv", "ConvTranspose", "Gemm", "MatMul"]
AROUND_CONVOLUTIONS = ["Add", "AveragePool", "Clip", "Concat", "GlobalAveragePool", "MaxPool", "Relu"]


@dataclass(frozen=True)
class Int8QDQ(Step):
    """Quantize weights and activations to 8-bit integers, with ranges found on your data.

    Convolutions and matrix products run in INT8 where the hardware has it: faster on CPUs with
    VNNI and on GPUs with TensorRT, and a quarter of the file. Activations need calibration data.
    """

    name = "int8-qdq"
    title = "INT8, static (Q/DQ)"
    version = 1
    requires = ("onnx", "onnxruntime-gpu|onnxruntime")
    install = "pip install onnx onnxruntime-gpu"
    formats = {"onnx": "onnx"}
    uses = ("dataset",)
    kind = "quantization"
    paper = "https://arxiv.org/abs/1712.05877"

    target: str = option(
        "auto",
        "The runtime whose rules to follow; auto is the recipe's own",
        choices=("auto", "onnxruntime", "tensorrt"),
    )
    calibration: str = option(
        "minmax", "How a tensor's range is chosen from what was seen", choices=("minmax", "entropy", "percentile")
    )
    samples: int = option(128, "Calibration samples to use at most", min=8, max=4096)
    per_channel: bool = option(True, "A scale of its own for each output channel of a weight")
    reduce_range: bool = option(False, "7-bit weights, for x86 CPUs without VNNI, whose sums would overflow")
    quantizer: str = option(
        "onnxruntime", "Which library places the nodes", choices=("onnxruntime", "modelopt"), label="Quantizer"
    )
    exclude: str = option("", "Nodes to keep in FP32: names or patterns, comma-separated", kind="layers")

    def check(self, spec: ModelSpec, device: str) -> str | None:
        return missing_modelopt() if self.quantizer == "modelopt" else None

    def options_for(self, runtime: str) -> Mapping[str, Any]:
        return {"target": "tensorrt" if "tensorrt" in runtime else "onnxruntime"} if self.target == "auto" else {}

    def apply(self, source: Artifact, context: Context) -> Artifact:
        from engine.formats import onnx

        require_fp32(source, self.name)
        path = onnx.model_path(source.path)
        samples = context.dataset("calibration")
        if len(samples) < self.samples:
            context.warn(f"Calibrated on {len(samples)} samples; {self.samples} were wanted.")
        prepared = prepare(path, context.folder)
        model = onnx.load(prepared)
        data = calibration_batches(model.graph, source, context.spec, samples, self.samples)
        nodes = excluded_nodes(model, self.exclude)
        context.progress(0.2, f"Calibrating on {len(data)} batches")
        result = context.folder / "model.onnx"
        if self.quantizer == "modelopt":
            quantize_with_modelopt(prepared, result, data, "int8", self.calibration, nodes, rest="fp32")
        else:
            self.quantize(prepared, result, data, model, nodes)
        context.progress(0.9, "Comparing layer by layer")
        report = layer_errors(prepared, result, data)
        prepared.unlink()
        return source.derive("onnx", result, precision="int8", report=report, calibration_samples=len(samples))

    def quantize(self, path: Path, result: Path, data: CalibrationBatches, model: Any, excluded: list[str]) -> None:
        """Place the nodes with ONNX Runtime's quantizer, by the rules of the target."""
        from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

        tensorrt = self.target == "tensorrt"
        convolutional = any(each.op_type == "Conv" for each in model.graph.node)
        kinds = PRODUCTS + (AROUND_CONVOLUTIONS if convolutional and not tensorrt else [])
        options: dict[str, Any] = {"CalibStridedMinMax": 1}
        if tensorrt:
            # TensorRT takes symmetric INT8 only, and no INT32 bias behind a DequantizeLinear.
            options |= {"ActivationSymmetric": True, "WeightSymmetric": True, "QuantizeBias": False}
            # Nodes go to the inputs only, so that it can fuse what follows a convolution into it.
            options["OpTypesToExcludeOutputQuantization"] = PRODUCTS
        try:
            quantize_static(
                str(path),
                str(result),
                data,
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=kinds,
                per_channel=self.per_channel,
                reduce_range=self.reduce_range,
                activation_type=QuantType.QInt8 if tensorrt else QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                nodes_to_exclude=excluded,
                calibrate_method=CalibrationMethod[METHODS[self.calibration]],
                calibration_providers=["CPUExecutionProvider"],
                extra_options=options,
            )
        except Exception as error:  # the quantizer raises whatever its graph code trips over
            raise StepFailed(
                f"ONNX Runtime's quantizer failed: {type(error).__name__}: {str(error)[:200]}.",
                "Simplify the graph first, or exclude the node it names.",
            ) from error


def prepare(path: Path, folder: Path) -> Path:
    """The graph with batch normalisation folded and shapes known, as quantizers want it."""
    from onnxruntime.quantization.shape_inference import quant_pre_process

    prepared = folder / "prepared.onnx"
    quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True, auto_merge=True)
    return prepared
