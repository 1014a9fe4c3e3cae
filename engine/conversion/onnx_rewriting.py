"""ONNX graphs in plainer words: the same values, said with operators that more converters know.

Constants become initializers, padding that is only called "same" is written out, and global pooling
that a converter lacks becomes a reduction. Meant for converters; a runtime takes graphs as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from engine.conversion.onnx_constants import constant_value

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

Shape = tuple[int, ...]
PADDED = ("Conv", "MaxPool", "AveragePool")
SAME = (b"SAME_UPPER", b"SAME_LOWER")


def plainer(model: ModelProto, shapes: Mapping[str, Shape]) -> None:
    """Rewrite a graph in place; `shapes` has the sizes of its inputs.

    Padding is written out for these sizes, as its amount depends on them where a stride is above 1.
    What can't be rewritten stays as it was.
    """
    from engine.profiling.onnx_operations import inferred_shapes, with_shapes

    constants_to_initializers(model.graph)
    nodes = [node for node in model.graph.node if needs_shape(node)]
    known = inferred_shapes(with_shapes(model, shapes)) if nodes else {}
    for node in nodes:
        size = known.get(node.input[0])
        if size is None:
            continue
        if node.op_type == "GlobalMaxPool":
            to_reduction(node, len(size))
        else:
            write_padding(node, size, known.get(node.input[1], ()) if len(node.input) > 1 else ())


def constants_to_initializers(graph: GraphProto) -> None:
    """Keep the tensors of Constant nodes where weights are kept; one that is an output stays a node."""
    outputs = {each.name for each in graph.output}
    kept = []
    for node in graph.node:
        value = constant_value(node)
        if value is None or node.output[0] in outputs:
            kept.append(node)
        else:
            value.name = node.output[0]
            graph.initializer.append(value)
    if len(kept) != len(graph.node):
        del graph.node[:]
        graph.node.extend(kept)


def needs_shape(node: NodeProto) -> bool:
    """Whether rewriting a node takes the shape of its input."""
    return node.op_type == "GlobalMaxPool" or auto_padding(node) is not None


def auto_padding(node: NodeProto) -> bytes | None:
    """How a node's padding is called where it is not given in numbers."""
    if node.op_type not in PADDED:
        return None
    return next((each.s for each in node.attribute if each.name == "auto_pad" and each.s in (*SAME, b"VALID")), None)


def write_padding(node: NodeProto, size: Shape, weight: Shape) -> None:
    """Give a node's padding in numbers, as the ONNX specification of `auto_pad` computes it."""
    from onnx import helper

    given = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    spatial = size[2:]
    kernel = given.get("kernel_shape") or weight[2:]
    if len(kernel) != len(spatial):
        return
    ones = [1] * len(spatial)
    strides, dilations = given.get("strides", ones), given.get("dilations", ones)
    begins, ends = [], []
    for extent, width, stride, dilation in zip(spatial, kernel, strides, dilations, strict=True):
        total = 0 if given["auto_pad"] == b"VALID" else same_padding(extent, (width - 1) * dilation + 1, stride)
        more, less = total - total // 2, total // 2
        begins.append(less if given["auto_pad"] != b"SAME_LOWER" else more)
        ends.append(more if given["auto_pad"] != b"SAME_LOWER" else less)
    replace_attributes(node, {"pads": [*begins, *ends]}, without=("auto_pad", "pads"))


def same_padding(extent: int, width: int, stride: int) -> int:
    """What is added along one axis so that its output has one element for every stride begun."""
    count = -(-extent // stride)
    return max(0, (count - 1) * stride + width - extent)


def to_reduction(node: NodeProto, rank: int) -> None:
    """A maximum over all but the batch and the channels."""
    node.op_type = "ReduceMax"
    replace_attributes(node, {"axes": list(range(2, rank)), "keepdims": 1})


def replace_attributes(node: NodeProto, values: Mapping[str, Sequence[int] | int], without: Sequence[str] = ()) -> None:
    """Set attributes of a node and drop others."""
    from onnx import helper

    kept = [each for each in node.attribute if each.name not in {*values, *without}]
    del node.attribute[:]
    node.attribute.extend([*kept, *(helper.make_attribute(name, value) for name, value in values.items())])
