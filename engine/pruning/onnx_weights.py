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
