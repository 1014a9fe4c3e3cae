"""Captured graphs that a torch-module's folder carries in place of Python source, without their weights.

The weights are in `weights.safetensors`; storing them twice would make every size wrong.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch.export import ExportedProgram

LARGE = 1024  # elements; smaller constants may be shapes and bounds that the conversion looks at
EMPTIED = "emptied by optibench"


def save_program(program: ExportedProgram, path: Path) -> None:
    """Write a program with every weight as one repeated zero."""
    import torch

    state = dict(program.state_dict)
    for name, tensor in state.items():
        zero = torch.zeros((), dtype=tensor.dtype).expand(tensor.shape)
        parameter = isinstance(tensor, torch.nn.Parameter)
        program.state_dict[name] = torch.nn.Parameter(zero, requires_grad=False) if parameter else zero
    try:
        torch.export.save(program, str(path))
    finally:
        program.state_dict.update(state)


def load_program(path: Path) -> Any:
    """The module of a program written by `save_program`, with room for its weights."""
    import torch

    module = torch.export.load(str(path)).module()
    for each in ("train", "eval"):  # a program's module refuses both; its graph has no training branches to switch
        module.__dict__.pop(each, None)
    for tensor in module.state_dict(keep_vars=True).values():
        if isinstance(tensor, torch.Tensor):
            tensor.data = torch.zeros(tensor.shape, dtype=tensor.dtype)
    return module


def save_graph(graph: ModelProto, path: Path) -> None:
    """Write an ONNX graph without the bytes of its large initializers."""
    import onnx

    emptied = onnx.ModelProto()
    emptied.CopyFrom(graph)
    for each in emptied.graph.initializer:
        if each.data_type == onnx.TensorProto.FLOAT and elements(each) > LARGE:
            dims, name = list(each.dims), each.name
            each.Clear()
            each.name, each.data_type, each.doc_string = name, onnx.TensorProto.FLOAT, EMPTIED
            each.dims.extend(dims)
    path.write_bytes(emptied.SerializeToString())


def load_graph(path: Path) -> Any:
    """The module of an ONNX graph written by `save_graph`, with room for its weights."""
    import onnx

    from engine.conversion.onnx_reading import convert

    graph = onnx.load(str(path))
    for each in graph.graph.initializer:
        if each.doc_string == EMPTIED:
            each.raw_data = bytes(4 * elements(each))
    return convert(graph)


def elements(tensor: Any) -> int:
    """How many elements a stored tensor has."""
    count = 1
    for each in tensor.dims:
        count *= each
    return count
