"""Between NumPy arrays and ONNX Runtime's values, with bfloat16, which NumPy lacks. Never imports torch."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.errors import BadInput, Unsupported
from engine.runtimes.inputs import bfloat16_bits, from_bfloat16_bits

ONNX_BFLOAT16 = 16
NUMPY_NAMES = {"float": "float32", "double": "float64", "bfloat16": "uint16"}


def numeric(onnx_type: str) -> bool:
    """Whether a type is a tensor of numbers."""
    return onnx_type.startswith("tensor(") and "string" not in onnx_type


def numpy_type(onnx_type: str) -> Any:
    """`tensor(float)` as NumPy's float32; bfloat16 is carried as its bits."""
    name = onnx_type.removeprefix("tensor(").removesuffix(")")
    return np.dtype(NUMPY_NAMES.get(name, name)).type


def encoded(name: str, value: Any, onnx_type: str) -> np.ndarray:
    """A feed as the graph wants it. Raises BadInput for an input that is not a tensor of numbers."""
    if not numeric(onnx_type):
        raise BadInput(
            f"The input {name} is a {onnx_type}, and only tensors of numbers can be fed.",
            "Cut the part that reads text out of the graph.",
        )
    if onnx_type == "tensor(bfloat16)":
        return bfloat16_bits(np.asarray(value))
    array = np.asarray(value, numpy_type(onnx_type))
    return np.ascontiguousarray(array).reshape(array.shape)


def empty(onnx_type: str, shape: Sequence[int], device: str, index: int) -> Any:
    """A buffer on a device."""
    import onnxruntime

    element: Any = ONNX_BFLOAT16 if onnx_type == "tensor(bfloat16)" else numpy_type(onnx_type)
    return onnxruntime.OrtValue.ortvalue_from_shape_and_type(list(shape), element, device, index)


def decoded(name: str, value: Any) -> np.ndarray:
    """An output on the host. Raises Unsupported for one that is not a tensor."""
    if not value.is_tensor():
        raise Unsupported(
            f"The output {name} is a {value.data_type()}, and only tensors can be compared.",
            "Export the model without the layer that makes lists or maps of its outputs (ZipMap).",
        )
    if value.data_type() == "tensor(bfloat16)":
        return from_bfloat16_bits(raw_bits(value))
    array: np.ndarray = value.numpy()
    return array


def raw_bits(value: Any) -> np.ndarray:
    """The 16-bit elements of a value, whose type ONNX Runtime does not turn into an array."""
    shape = tuple(value.shape())
    if value.device_name() != "cpu":
        host = empty("tensor(bfloat16)", shape, "cpu", 0)
        host.update_inplace(value)
        value = host
    size = int(np.prod(shape, dtype=np.int64)) * 2
    return np.frombuffer(ctypes.string_at(value.data_ptr(), size), np.uint16).reshape(shape)
