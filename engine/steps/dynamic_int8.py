"""Dynamic INT8 for ONNX Runtime: weights in 8 bits, activations quantized as they come."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.artifact import Artifact
from engine.errors import StepFailed, Unsupported
from engine.plugin import option
from engine.spec import ModelSpec
from engine.steps.base import Context, Step

MATRIX = ("MatMul", "Gemm", "Gather", "LSTM", "Attention", "EmbedLayerNormalization")


@dataclass(frozen=True)
class DynamicInt8(Step):
    """Store weights in 8 bits and quantize activations while running; needs no data.

    Shrinks language models to a quarter and speeds them up on CPUs with 8-bit instructions. ONNX
    Runtime alone runs the operators this writes.
    """

    name = "dynamic-int8"
    title = "Dynamic INT8"
    formats = {"onnx": "onnx"}
    requires = ("onnx", "onnxruntime-gpu|onnxruntime")
    kind = "quantization"

    operators: str = option(
        "matmul", "Matrix products and embeddings alone, or convolutions too (often slower)", choices=("matmul", "all")
    )
    per_channel: bool = option(True, "One scale for each output channel: more accurate, a little larger")
    reduce_range: bool = option(False, "Use 7 bits, for CPUs without VNNI where 8-bit products overflow")

    def check(self, spec: ModelSpec, device: str) -> str | None:
        if (
            spec.format == "onnx"
            and self.operators == "matmul"
            and spec.operators
            and not set(MATRIX) & set(spec.operators)
        ):
            return "the graph has no matrix product or embedding; with operators=all convolutions are quantized too"
        return None

    def apply(self, source: Artifact, context: Context) -> Artifact:
        from engine.formats import onnx as onnx_format

        if source.precision != "fp32":
            raise Unsupported(
                f"Dynamic quantization starts from float32 weights, and these are {source.precision}.",
                "It is quantized already." if source.precision == "int8" else "Leave out the step that narrows it.",
            )
        model = onnx_format.load(source.path)
        del model.graph.value_info[:]  # the quantizer transposes weights, and noted shapes would contradict it
        own_weights(model.graph)
        before = Counter(node.op_type for node in model.graph.node)
        if self.operators == "all":
            context.progress(0.1, "Quantizing convolutions")
            model = self.quantized(model, ("Conv",), signed=False, folder=context.folder)
        context.progress(0.4, "Quantizing matrix products")
        model = self.quantized(model, MATRIX, signed=True, folder=context.folder)
        after = Counter(node.op_type for node in model.graph.node)
        done = {name: before[name] - after[name] for name in (*MATRIX, "Conv") if before[name] > after[name]}
        if not done:
            raise Unsupported(
                "This graph has no float32 operator outside branches and loops that dynamic quantization takes.",
                "Choose operators=all for convolutions." if self.operators == "matmul" else "Use half instead.",
            )
        path = onnx_format.save(model, context.folder)
        return source.derive("onnx", path, precision="int8", quantized=done)

    def quantized(self, model: Any, kinds: tuple[str, ...], *, signed: bool, folder: Path) -> Any:
        """The model with these operators in 8 bits; convolutions run with unsigned weights alone."""
        import onnx
        from onnxruntime.quantization import QuantType, quantize_dynamic

        target = folder / "quantized.onnx"
        try:
            quantize_dynamic(
                model,
                target,
                op_types_to_quantize=list(kinds),
                weight_type=QuantType.QInt8 if signed else QuantType.QUInt8,
                per_channel=self.per_channel,
                reduce_range=self.reduce_range,
                extra_options={"MatMulConstBOnly": True, "DefaultTensorType": 1},
            )
        except Exception as error:  # the quantizer raises whatever it trips over
            raise StepFailed(
                f"ONNX Runtime can't quantize this graph: {type(error).__name__}: {error}", "Simplify it first."
            ) from error
        made = onnx.load(str(target))
        target.unlink()
        return made


def own_weights(graph: Any) -> None:
    """Give each Gemm a weight of its own: the quantizer transposes it in place for everything that shares it."""
    from engine.conversion.onnx_scopes import graphs_in

    stored = {each.name: each for each in graph.initializer}
    readers = Counter(name for each in graphs_in(graph) for node in each.node for name in node.input)
    for index, node in enumerate(graph.node):
        if node.op_type != "Gemm" or node.input[1] not in stored or readers[node.input[1]] == 1:
            continue
        copy = graph.initializer.add()
        copy.CopyFrom(stored[node.input[1]])
        copy.name = f"{node.input[1]}_of_gemm_{index}"
        node.input[1] = copy.name
