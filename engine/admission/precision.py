"""The precision that an upload already has: what its stored weights are, by which parity is judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch import Tensor

FLOATS = {"float32": "fp32", "float64": "fp32", "float16": "fp16", "bfloat16": "bf16"}
QUANTIZED = {"QuantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger"}


def of_tensors(tensors: Iterable[Tensor]) -> dict[str, Any]:
    """What an artifact's details say of PyTorch weights; nothing when they are FP32."""
    counts = Counter[str]()
    for each in tensors:
        counts[str(each.dtype).removeprefix("torch.")] += each.numel()
    return told(counts)


def of_graph(model: ModelProto) -> dict[str, Any]:
    """What an artifact's details say of an ONNX graph; nothing when it is FP32."""
    import math

    from onnx import TensorProto

    if any(each.op_type in QUANTIZED for each in model.graph.node):
        return {"precision": "int8"}
    kinds = {TensorProto.FLOAT: "float32", TensorProto.FLOAT16: "float16", TensorProto.BFLOAT16: "bfloat16"}
    counts = Counter[str]()
    for each in model.graph.initializer:
        counts[kinds.get(each.data_type, "")] += math.prod(each.dims)
    return told(counts)


def told(counts: Mapping[str, int]) -> dict[str, Any]:
    """The precision of most of the floating weights, where that is not FP32."""
    floats = {name: count for name, count in counts.items() if name in FLOATS}
    most = FLOATS[max(floats, key=lambda name: floats[name])] if floats else "fp32"
    return {} if most == "fp32" else {"precision": most}
