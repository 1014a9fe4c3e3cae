"""How many bytes of weights an artifact stores, one small function a format. For workers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.artifact import Artifact

if TYPE_CHECKING:
    import torch


SIGNED_ZERO = ("F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2")
WIDTHS = {"F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2, "I16": 2, "U16": 2}
WIDTHS |= {"F8_E4M3": 1, "F8_E5M2": 1, "I8": 1, "U8": 1, "BOOL": 1, "C64": 8}


@dataclass(frozen=True)
class WeightBytes:
    """Bytes of all stored weights, and of those that are not zero."""

    total: int
    nonzero: int


def count(artifact: Artifact) -> WeightBytes | None:
    """The bytes of an artifact's weights, or None where its format can't tell."""
    counter = COUNTERS.get(artifact.format)
    return counter(artifact.path) if counter else None


def of_module(path: Path) -> WeightBytes:
    """The tensors of every safetensors file in a module's folder, read without PyTorch; coded files as they are.

    A file is an 8-byte length, a JSON header with dtype, shape and place of each tensor, and the bytes
    (https://huggingface.co/docs/safetensors). Zero is all bits zero but the sign, in every dtype.
    """
    import numpy as np

    total = nonzero = 0
    for each in sorted(path.rglob("*.safetensors")):
        with each.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            header = json.loads(stream.read(length))
        content = np.memmap(each, np.uint8, "r", offset=8 + length) if each.stat().st_size > 8 + length else None
        for name, entry in header.items():
            if name == "__metadata__" or content is None:
                continue
            begin, end = entry["data_offsets"]
            width = WIDTHS[entry["dtype"]]
            elements = content[begin:end].reshape(-1, width).copy()
            if entry["dtype"] in SIGNED_ZERO:
                elements[:, -1] &= 0x7F
            total += end - begin
            nonzero += int(np.count_nonzero(elements.any(axis=1))) * width
    coded = sum(each.stat().st_size for each in path.rglob("*.obdc"))
    return WeightBytes(total + coded, nonzero + coded)


def of_script(path: Path) -> WeightBytes:
    """Parameters, buffers and the constants of every method's graph, which is all a frozen script has."""
    from engine.conversion.scripts import constants
    from engine.formats import torchscript

    script = torchscript.load(path)
    seen: dict[tuple[int, tuple[int, ...]], torch.Tensor] = {}
    for each in (*script.parameters(), *script.buffers(), *constants(script)):
        if not each.is_quantized:
            seen[(each.data_ptr(), tuple(each.shape))] = each
    return add_up(seen.values())


def of_program(path: Path) -> WeightBytes:
    """Parameters, buffers and tensor constants of an exported program."""
    from engine.formats import exported_program

    program: Any = exported_program.load(path)
    stored = [*program.state_dict.values(), *program.constants.values()]
    return add_up(each for each in stored if hasattr(each, "dtype"))


def of_onnx(path: Path) -> WeightBytes:
    """Initializers and constants of an ONNX graph and of its subgraphs."""
    import numpy as np
    import onnx
    from onnx import numpy_helper

    from engine.formats.onnx import model_path

    file = model_path(path)
    model = onnx.load(file)
    total = nonzero = 0
    for tensor in onnx_tensors(model.graph):
        array = numpy_helper.to_array(tensor, base_dir=str(file.parent))
        stored = array.nbytes if array.dtype.itemsize > 1 else len(tensor.raw_data) or array.nbytes
        total += stored
        nonzero += round(stored * (np.count_nonzero(array) / array.size)) if array.size else 0
    return WeightBytes(total, nonzero)


def onnx_tensors(graph: Any) -> Iterable[Any]:
    """Every tensor stored in a graph: initializers and attributes, also of subgraphs."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            for each in (attribute.g, *attribute.graphs) if attribute.HasField("g") else attribute.graphs:
                yield from onnx_tensors(each)


def add_up(tensors: Iterable[torch.Tensor]) -> WeightBytes:
    """Bytes of tensors, and of their elements that are not zero."""
    total = nonzero = 0
    for each in tensors:
        total += each.numel() * each.element_size()
        nonzero += int(each.count_nonzero()) * each.element_size()
    return WeightBytes(total, nonzero)


COUNTERS: dict[str, Callable[[Path], WeightBytes]] = {
    "torch-module": of_module,
    "torchscript": of_script,
    "exported-program": of_program,
    "onnx": of_onnx,
}
