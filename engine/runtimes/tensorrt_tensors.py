"""An engine's tensors: which of the model's inputs each one is, and how NumPy carries their bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from engine.errors import BadInput, Unsupported
from engine.spec import ModelSpec, TensorSpec

NUMPY = {
    "FLOAT": "float32",
    "HALF": "float16",
    "INT8": "int8",
    "INT32": "int32",
    "INT64": "int64",
    "BOOL": "bool",
    "UINT8": "uint8",
    "BF16": "uint16",
}


def specs_by_input(names: Sequence[str], spec: ModelSpec, details: Mapping[str, Any]) -> dict[str, TensorSpec]:
    """The model's input behind each name of a graph: by name, by the artifact's list, or by position.

    Constants may have been baked into the graph, so a graph may have fewer inputs than the model.
    Raises BadInput when they can't be matched.
    """
    by_name = {each.name: each for each in spec.inputs}
    if all(name in by_name for name in names):
        return {name: by_name[name] for name in names}
    declared = details.get("input_names") or ()
    if declared and set(names) <= set(declared):
        order = spec.inputs if len(declared) == len(spec.inputs) else spec.tensor_inputs
        known = dict(zip(declared, order, strict=False))
        return {name: known[name] for name in names}
    for candidates in (spec.inputs, spec.tensor_inputs):
        if len(candidates) == len(names):
            return dict(zip(names, candidates, strict=True))
    raise BadInput(
        f"The graph's inputs ({', '.join(names)}) don't match the model's ({', '.join(by_name)}).",
        "Export the model again with its own input names.",
    )


def numpy_type(name: str, dtype: str) -> np.dtype[Any]:
    """The NumPy type that carries the bytes of one of TensorRT's types."""
    if dtype not in NUMPY:
        raise Unsupported(f"The engine's tensor {name} is {dtype}, which can't be passed in or out here.")
    return np.dtype(NUMPY[dtype])


def encode(value: Any, dtype: str) -> np.ndarray:
    """An input in the engine's own type, contiguous; bfloat16 is rounded to nearest even."""
    array = np.asarray(value)
    if dtype == "BF16":
        bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
    # `ascontiguousarray` alone would turn a scalar into a vector of one element.
    return np.ascontiguousarray(array, NUMPY[dtype]).reshape(array.shape)


def decode(array: np.ndarray, dtype: str) -> np.ndarray:
    """An output in a type that NumPy knows: bfloat16 comes as float32."""
    return (array.astype(np.uint32) << 16).view(np.float32) if dtype == "BF16" else array


def output_allocator(api: Any, reserve: Callable[[int], int], notify: Callable[[tuple[int, ...]], None]) -> Any:
    """Where TensorRT puts an output whose shape it knows only afterwards."""

    class Allocator(api.IOutputAllocator):  # type: ignore[misc]
        def __init__(self) -> None:
            api.IOutputAllocator.__init__(self)

        def reallocate_output(self, tensor: str, memory: int, size: int, alignment: int) -> int:
            return reserve(size)

        def reallocate_output_async(self, tensor: str, memory: int, size: int, alignment: int, stream: int) -> int:
            return reserve(size)

        def notify_shape(self, tensor: str, shape: Any) -> None:
            notify(tuple(shape))

    return Allocator()
