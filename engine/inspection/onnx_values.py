"""What an ONNX graph says about an input by what it does with it: ranges, widths, states."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.inspection.dimensions import Dimension
from engine.spec import TensorSpec

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

PASSES_ON = {"Cast", "Identity", "Reshape", "Unsqueeze", "Squeeze", "Flatten", "Transpose", "Slice", "Clip", "Expand"}
WHOLE = ("int", "uint")
STATE_OUT = re.compile(r"(_?(out|next|new|final|n)|^(new|next|out|present)_?)$", re.I)
RATE = re.compile(r"^(sr|fs|rate|sample_?rate|sampling_?rate)$", re.I)
MANY_CODES = 1 << 22
BOUNDS = {"int8": (-128, 128), "uint8": (0, 256)}


def with_range(
    tensor: TensorSpec,
    readers: Mapping[str, Sequence[NodeProto]],
    widths: Mapping[str, int],
    codes: Mapping[tuple[str, str], int],
) -> TensorSpec:
    """An integer input with the values it may take, as far as the graph tells or its use suggests.

    `readers` maps each value to the nodes that read it, `widths` each stored table to its rows,
    `codes` is what `one_hot_codes` gives.
    """
    if not tensor.dtype.startswith(WHOLE):
        return tensor
    rows = table_rows(tensor.name, readers, widths, codes)
    if rows:
        return replace(tensor, low=0, high=rows)
    if "mask" in tensor.name.lower():
        return replace(tensor, low=1, high=2)
    if not tensor.shape or tensor.shape == (1,):
        value = 16000 if RATE.match(tensor.name) else 1
        return replace(tensor, low=value, high=value + 1)
    if tensor.dtype in BOUNDS:
        return replace(tensor, low=BOUNDS[tensor.dtype][0], high=BOUNDS[tensor.dtype][1])
    if len(tensor.shape) >= 3 or becomes_float(tensor.name, readers):
        return replace(tensor, low=0, high=256)
    return tensor


def table_rows(
    name: str,
    readers: Mapping[str, Sequence[NodeProto]],
    widths: Mapping[str, int],
    codes: Mapping[tuple[str, str], int],
) -> int | None:
    """The rows of the smallest table that this value indexes, also by one-hot codes, or None."""
    found: list[int] = []
    waiting, seen = [name], {name}
    while waiting:
        value = waiting.pop()
        for node in readers.get(value, ()):
            if node.op_type == "Gather" and len(node.input) > 1 and node.input[1] == value:
                axis = next((each.i for each in node.attribute if each.name == "axis"), 0)
                if node.input[0] in widths and axis == 0:
                    found.append(widths[node.input[0]])
            elif node.op_type == "EmbedLayerNormalization":
                place = list(node.input).index(value)
                if place < 2 and node.input[2 if place == 0 else 4] in widths:
                    found.append(widths[node.input[2 if place == 0 else 4]])
            elif node.op_type in ("OneHot", "Equal"):
                found.extend(codes[node.op_type, each] for each in node.input if (node.op_type, each) in codes)
            elif node.op_type in PASSES_ON and node.input[0] == value and node.output[0] not in seen:
                seen.add(node.output[0])
                waiting.append(node.output[0])
    return min((each for each in found if each > 1), default=None)


def one_hot_codes(graph: GraphProto) -> dict[tuple[str, str], int]:
    """How many codes a value is turned into, by operator and stored input: a depth, or 0, 1, 2, … to be equal to."""
    from onnx import TensorProto, numpy_helper

    found: dict[tuple[str, str], int] = {}
    for each in graph.initializer:
        if each.data_type not in (TensorProto.INT32, TensorProto.INT64) or each.data_location == TensorProto.EXTERNAL:
            continue
        values = numpy_helper.to_array(each)
        if values.size == 1:
            found["OneHot", each.name] = int(values.reshape(-1)[0])
        elif values.ndim and values.size < MANY_CODES:
            count = values.shape[-1]
            if count > 1 and (values.reshape(-1, count) == range(count)).all():
                found["Equal", each.name] = count
    return found


def becomes_float(name: str, readers: Mapping[str, Sequence[NodeProto]]) -> bool:
    """Whether the first thing done to an integer input is to make it a float, as with raw bytes."""
    floats = (1, 10, 11, 16)
    for node in readers.get(name, ()):
        if node.op_type in ("DequantizeLinear", "QLinearConv", "ConvInteger", "MatMulInteger"):
            return True
        if node.op_type == "Cast" and any(each.name == "to" and each.i in floats for each in node.attribute):
            return True
    return False


def shapes_met(
    name: str, readers: Mapping[str, Sequence[NodeProto]], tables: Mapping[str, tuple[int, ...]]
) -> list[tuple[Dimension, ...]]:
    """Shapes worth trying for an input that declares none, from the first weights it meets; None is dynamic."""
    waiting, seen = [name], {name}
    while waiting:
        value = waiting.pop(0)
        for node in readers.get(value, ()):
            weight = tables.get(node.input[1]) if len(node.input) > 1 else None
            if node.op_type == "Conv" and weight:
                return [(None, weight[1], *(None for _ in weight[2:]))]
            if node.op_type in ("MatMul", "Gemm") and weight and node.input[0] == value:
                flipped = any(each.name == "transB" and each.i for each in node.attribute)
                width = weight[1] if flipped else weight[0]
                return [(None, width), (None, None, width), (width,)]
            if node.op_type == "Gather" and node.input[1] == value:
                return [(None, None), (None,), ()]
            if node.op_type in PASSES_ON | {"Add", "Sub", "Mul", "Div", "Relu"} and node.output[0] not in seen:
                seen.add(node.output[0])
                waiting.append(node.output[0])
    return [(None, 3, None, None), (None, None), (None,), (), (None, None, None)]


def all_readers(graph: GraphProto) -> dict[str, list[NodeProto]]:
    """The nodes that read each value, in the graph and in its branches."""
    readers: dict[str, list[NodeProto]] = {}
    for node in graph.node:
        for value in node.input:
            readers.setdefault(value, []).append(node)
        for attribute in node.attribute:
            for inner in ([attribute.g] if attribute.HasField("g") else []) + list(attribute.graphs):
                for value, nodes in all_readers(inner).items():
                    readers.setdefault(value, []).extend(nodes)
    return readers


def state_pairs(inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> tuple[tuple[str, str], ...]:
    """Outputs that feed inputs at the next call: the same type and rank, fitting sizes and a name that says so."""
    pairs = []
    taken: set[str] = set()
    for target in inputs:
        for source in outputs:
            if source.name not in taken and fits(source, target) and says_state(source.name, target.name):
                pairs.append((source.name, target.name))
                taken.add(source.name)
                break
    return tuple(pairs)


def fits(source: TensorSpec, target: TensorSpec) -> bool:
    """Whether an output could be fed to an input."""
    if source.dtype != target.dtype or len(source.shape) != len(target.shape) or not target.shape:
        return False
    pairs = zip(source.shape, target.shape, strict=True)
    return all(one == other or isinstance(one, str) or isinstance(other, str) for one, other in pairs)


def says_state(output: str, target: str) -> bool:
    """Whether two names are those of a state before and after: state and stateN, h0 and hn, past and present."""
    one, other = output.lower(), target.lower()
    stem = re.sub(r"(_?(in|0|prev|init|t|old|input))$|^(prev|past|old|init|in|last)_?(key_values?)?_?", "", other)
    if one == other or ("present" in one and "past" in other):
        return trailing(one) == trailing(other)
    before = re.sub(r"(_?(out|next|new|final|n|1|output|t))$|^(new|next|out|final|present)_?", "", one)
    return bool(stem) and before in (stem, other)


def trailing(name: str) -> str:
    """What follows the first number of a name: `past_key_values.0.key` → `0.key`."""
    match = re.search(r"\d.*$", name)
    return match.group(0) if match else ""
