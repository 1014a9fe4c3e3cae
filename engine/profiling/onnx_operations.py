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
    """
    known = infer(model, shapes)
    weights = sum(math.prod(each.dims) for each in model.graph.initializer if len(each.dims) > 1)
    return sum(operations(node, known) for node in model.graph.node), float(weights)


def infer(model: Any, shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    """The shape of every tensor that has one, with the inputs' sizes filled in."""
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
    inferred = symbolic(fixed)
    known = {each.name: tuple(each.dims) for each in inferred.graph.initializer}
    for value in (*inferred.graph.input, *inferred.graph.value_info, *inferred.graph.output):
        dimensions = value.type.tensor_type.shape.dim
        if all(each.HasField("dim_value") for each in dimensions):
            known[value.name] = tuple(each.dim_value for each in dimensions)
    return known


def symbolic(model: Any) -> Any:
    """Infer shapes; ONNX's own inference first, and ONNX Runtime's where that leaves products without a shape."""
    import onnx

    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    shaped = {each.name for each in (*inferred.graph.value_info, *inferred.graph.output)}
    products = [node for node in model.graph.node if node.op_type in COUNTERS]
    if all(node.output[0] in shaped for node in products):
        return inferred
    from onnxruntime.tools.symbolic_shape_infer import SymbolicShapeInference

    try:
        return SymbolicShapeInference.infer_shapes(model, auto_merge=True)
    except Exception as error:  # it raises whatever a graph's shapes trip it over
        raise Unsupported(f"The shapes of this graph can't be inferred: {type(error).__name__}: {error}.") from error


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
