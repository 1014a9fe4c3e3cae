"""The weights of an ONNX graph that can be pruned."""

from __future__ import annotations

from typing import Any

import numpy as np

WEIGHT_INPUTS = {
    "Conv": (1,),
    "ConvTranspose": (1,),
    "Gemm": (0, 1),
    "MatMul": (0, 1),
    "LSTM": (1, 2),
    "GRU": (1, 2),
    "RNN": (1, 2),
}


def weight_tensors(model: Any) -> dict[str, Any]:
    """Stored tensors, by name, that linear, convolutional and recurrent operators take as weights.

    Initializers and Constant nodes of the main graph; integers and vectors are left alone.
    """
    import onnx

    graph = model.graph
    stored = {each.name: each for each in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            stored.update((node.output[0], each.t) for each in node.attribute if each.name == "value")
    floating = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE)
    found: dict[str, Any] = {}
    for node in graph.node:
        for position in WEIGHT_INPUTS.get(node.op_type, ()):
            name = node.input[position] if position < len(node.input) else ""
            tensor = stored.get(name)
            if tensor is not None and tensor.data_type in floating and len(tensor.dims) >= 2:
                found[name] = tensor
    return found


def values(tensors: dict[str, Any]) -> dict[str, np.ndarray]:
    """The tensors as arrays."""
    from onnx import numpy_helper

    return {name: numpy_helper.to_array(each) for name, each in tensors.items()}


def replace(tensor: Any, array: np.ndarray) -> None:
    """Give a stored tensor new values of the same shape and type."""
    from onnx import numpy_helper

    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(array), tensor.name))


def input_axes(model: Any) -> dict[str, int]:
    """Along which axis of each weight the operator's inputs lie: what a dot product sums over."""
    found: dict[str, int] = {}
    for node in model.graph.node:
        for position in WEIGHT_INPUTS.get(node.op_type, ()):
            if position < len(node.input):
                found[node.input[position]] = input_axis(node, position)
    return found


def input_axis(node: Any, position: int) -> int:
    """The axis for one operator and position."""
    if node.op_type == "MatMul":
        return -2 if position else -1
    if node.op_type == "Gemm":
        transposed = {each.name: each.i for each in node.attribute}.get("transB" if position else "transA", 0)
        return (1 if transposed else 0) if position else (0 if transposed else 1)
    return {"ConvTranspose": 0, "Conv": 1}.get(node.op_type, 2)
