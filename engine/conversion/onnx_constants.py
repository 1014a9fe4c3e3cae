"""Constants of ONNX graphs in half precision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

CODES = {"float16": 10, "bfloat16": 16}
LARGEST = {"float16": 65504.0, "bfloat16": 3.3895e38}
SMALLEST = {"float16": 6.0e-8, "bfloat16": 1.2e-38}
WRITTEN_OUT = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64}
A_MASK = 1e30  # larger constants stand for minus infinity and are meant to be clamped


class Narrow:
    """Turns float32 tensors into half-precision ones; `clamped` counts values beyond the range."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype
        self.code = CODES[dtype]
        self.type_name = f"tensor({dtype})"
        self.suffix = {"float16": "fp16", "bfloat16": "bf16"}[dtype]
        self.clamped = 0

    def tensor(self, tensor: TensorProto, name: str) -> TensorProto:
        """The tensor in half precision under another name; a lone tiny number, an epsilon, never becomes 0."""
        from onnx import numpy_helper

        return numpy_helper.from_array(self.array(numpy_helper.to_array(tensor)), name)

    def array(self, values: np.ndarray) -> np.ndarray:
        """The values in half precision, within its range."""
        import ml_dtypes

        largest = LARGEST[self.dtype]
        size = np.abs(values)
        self.clamped += int(np.count_nonzero((size > largest) & (size < A_MASK)))
        clipped = np.where(np.isfinite(values), np.clip(values, -largest, largest), values)
        if clipped.size == 1:
            tiny = (clipped != 0) & (np.abs(clipped) < SMALLEST[self.dtype])
            clipped = np.where(tiny, np.sign(clipped) * SMALLEST[self.dtype], clipped)
        kind: Any = np.float16 if self.dtype == "float16" else ml_dtypes.bfloat16
        return np.asarray(clipped).astype(kind).reshape(values.shape)


def constant_value(node: NodeProto) -> TensorProto | None:
    """The tensor of a Constant node, however it is written; None for text and sparse ones, and other nodes."""
    if node.op_type != "Constant" or node.domain not in ("", "ai.onnx"):
        return None
    from onnx import helper, numpy_helper

    for attribute in node.attribute:
        if attribute.name == "value":
            tensor: TensorProto = attribute.t
            return tensor
        if attribute.name in WRITTEN_OUT:
            values = np.array(helper.get_attribute_value(attribute), WRITTEN_OUT[attribute.name])
            return numpy_helper.from_array(values, node.output[0])
    return None
