"""Operations of an ONNX graph, counted from the shapes of its tensors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from engine.errors import Unsupported

Shape = tuple[int, ...]
MISSING: Shape = (-1,)


def count_graph(model: Any, shapes: Mapping[str, Shape]) -> tuple[float, float]:
    """Floating-point operations of one inference (a multiply-add is two) and the number of weights.

    Convolutions, matrix products and recurrent layers are counted; what else a graph does is small
    beside them. `shapes` fixes the inputs. Branches are counted as the larger one, loops once.
    Raises Unsupported when the shapes of a product can't be found.
    """
    fixed = with_shapes(model, shapes)
    known = inferred_shapes(fixed)
    products = [node for node in fixed.graph.node if node.op_type in COUNTERS]
    if any(name not in known for node in products for name in (*node.input[:2], node.output[0])):
        known |= observed_shapes(fixed, products, shapes)
    return sum(operations(node, known) for node in fixed.graph.node), weight_count(fixed.graph)


def weight_count(graph: Any) -> float:
    """The elements of every weight of more than one dimension, as initializer or as constant."""
    constants = [
        attribute.t
        for node in graph.node
        if node.op_type == "Constant"
        for attribute in node.attribute
        if attribute.HasField("t")
    ]
    return float(sum(math.prod(each.dims) for each in (*graph.initializer, *constants) if len(each.dims) > 1))


def with_shapes(model: Any, shapes: Mapping[str, Shape]) -> Any:
    """A copy of the graph with its inputs' sizes filled in, and without what it said about the rest."""
    import onnx

    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    for value in fixed.graph.input:
        if value.name in shapes:
            dimensions = value.type.tensor_type.shape.dim
            for dimension, size in zip(dimensions, shapes[value.name], strict=False):
                dimension.Clear()
                dimension.dim_value = size
    del fixed.graph.value_info[:]
    for value in fixed.graph.output:
        value.type.tensor_type.ClearField("shape")
    return fixed


def inferred_shapes(model: Any) -> dict[str, Shape]:
    """The shape of every tensor for which ONNX's own inference finds one."""
    import onnx

    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    known = {each.name: tuple(each.dims) for each in inferred.graph.initializer}
    for value in (*inferred.graph.input, *inferred.graph.value_info, *inferred.graph.output):
        if value.type.tensor_type.HasField("shape"):
            dimensions = value.type.tensor_type.shape.dim
            if all(each.HasField("dim_value") for each in dimensions):
                known[value.name] = tuple(each.dim_value for each in dimensions)
    return known


def observed_shapes(model: Any, products: Sequence[Any], shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    """The shapes around products, seen while the graph runs once on zeros; for graphs that inference can't follow."""
    import numpy as np
    import onnx
    import onnxruntime

    made = {name for node in model.graph.node for name in node.output}
    wanted = sorted({name for node in products for name in (*node.input[:2], node.output[0])} & made)
    del model.graph.output[:]
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in wanted)
    feeds = {
        each.name: np.zeros(shapes[each.name], onnx.helper.tensor_dtype_to_np_dtype(each.type.tensor_type.elem_type))
        for each in model.graph.input
        if each.name in shapes
    }
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        values = session.run(wanted, feeds)
    except Exception as error:  # whatever stops the graph stops the counting
        line = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise Unsupported(f"The operations of this graph can't be counted: {line}.") from error
    return {name: tuple(value.shape) for name, value in zip(wanted, values, strict=True)}


def operations(node: Any, known: Mapping[str, Shape]) -> float:
    """The operations of one node; those of its branches' larger one, or its loop's body once."""
    bodies = [
        sum(operations(each, known) for each in attribute.g.node)
        for attribute in node.attribute
        if attribute.HasField("g")
    ]
    counter = COUNTERS.get(node.op_type)
    inputs = [known.get(name, MISSING) for name in node.input]
    output = known.get(node.output[0]) if node.output else None
    if counter is None or output is None or MISSING in inputs[:2]:
        return max(bodies, default=0.0)
    return float(counter(node, inputs, output))


def convolution(node: Any, inputs: Sequence[Shape], output: Shape) -> float:
    """Each output value takes a product with one filter: (filters, channels / groups, ...)."""
    return 2.0 * math.prod(output) * math.prod(inputs[1][1:])


def transposed_convolution(node: Any, inputs: Sequence[Shape], output: Shape) -> float:
    """Each input value is spread by one filter: (channels, filters / groups, ...)."""
    return 2.0 * math.prod(inputs[0]) * math.prod(inputs[1][1:])


def matrix_product(node: Any, inputs: Sequence[Shape], output: Shape) -> float:
    """Each output value takes a product of the inner dimension's length."""
    return 2.0 * math.prod(output) * inputs[0][-1]


def gemm(node: Any, inputs: Sequence[Shape], output: Shape) -> float:
    """As a matrix product, with a first factor that may be transposed."""
    transposed = any(each.name == "transA" and each.i for each in node.attribute)
    return 2.0 * math.prod(output) * inputs[0][0 if transposed else 1]


def recurrent(node: Any, inputs: Sequence[Shape], output: Shape) -> float:
    """Every step multiplies inputs and state by the gates' weights: (directions, gates x hidden, ...)."""
    steps, batch, features = inputs[0]
    directions, gates, _ = inputs[1]
    hidden = output[-1]
    return 2.0 * steps * batch * directions * gates * (features + hidden)


COUNTERS = {
    "Conv": convolution,
    "ConvTranspose": transposed_convolution,
    "MatMul": matrix_product,
    "Gemm": gemm,
    "LSTM": recurrent,
    "GRU": recurrent,
    "RNN": recurrent,
}
