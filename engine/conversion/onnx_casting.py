"""Half precision for ONNX graphs: weights and activations narrow, inputs and outputs float32.

An operator is narrowed when its own schema allows the type, so the rules follow the standard and
not a list of names. Where an operator takes float32 alone, casts are put around it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine.conversion.onnx_constants import Narrow, constant_value
from engine.errors import StepFailed

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

FLOAT = 1  # TensorProto.FLOAT
TYPED_BY_ATTRIBUTE = {
    "Cast": "to",
    "RandomNormalLike": "dtype",
    "RandomUniformLike": "dtype",
    "EyeLike": "dtype",
    "Bernoulli": "dtype",
    "HannWindow": "output_datatype",
    "HammingWindow": "output_datatype",
    "BlackmanWindow": "output_datatype",
}
# Sizes, positions and counts that half precision would round: these operators keep float32.
KEPT = {"Range", "CumSum", "NonMaxSuppression", "RoiAlign", "GridSample", "AffineGrid", "QuantizeLinear"}
KEPT_INPUTS = {"Resize": (1, 2), "Upsample": (1,)}
WITH_GRAPHS = ("If", "Loop", "Scan")


@dataclass
class Scope:
    """One graph under way: what is known about its values, and the nodes of the new graph."""

    graph: GraphProto
    outer: Scope | None = None
    types: dict[str, int] = field(default_factory=dict)
    constants: dict[str, Any] = field(default_factory=dict)
    narrow: set[str] = field(default_factory=set)
    made: dict[tuple[str, bool], str] = field(default_factory=dict)
    nodes: list[NodeProto] = field(default_factory=list)

    def holder(self, name: str) -> Scope | None:
        """The innermost graph that defines a value."""
        scope: Scope | None = self
        while scope is not None and name not in scope.types and name not in scope.constants:
            scope = scope.outer
        return scope

    def is_float(self, name: str) -> bool:
        """Whether a value was float32 before anything was narrowed."""
        scope = self.holder(name)
        return scope is not None and (scope.types.get(name) == FLOAT or name in scope.constants)


class Lowering:
    """Narrows one model; `kept` counts the operators that stayed in float32."""

    def __init__(self, narrow: Narrow, opsets: dict[str, int]) -> None:
        self.narrow = narrow
        self.opsets = opsets
        self.kept: dict[str, int] = {}
        self.fresh = 0

    def graph(self, graph: GraphProto, outer: Scope | None) -> Scope:
        """Narrow every node of a graph; its inputs are narrow already when it is inside another."""
        scope = Scope(graph, outer)
        collect(scope)
        if outer is not None:
            for each in graph.input:
                if each.type.tensor_type.elem_type == FLOAT:
                    each.type.tensor_type.elem_type = self.narrow.code
                    scope.narrow.add(each.name)
        for node in graph.node:
            self.node(node, scope)
        self.outputs(scope)
        del graph.node[:]
        graph.node.extend(scope.nodes)
        del graph.value_info[:]
        return scope

    def node(self, node: NodeProto, scope: Scope) -> None:
        """Narrow one node, with casts before it where its inputs are of the other type."""
        if node.op_type in WITH_GRAPHS and node.domain in ("", "ai.onnx"):
            self.node_with_graphs(node, scope)
        elif node.op_type == "ConstantOfShape":
            self.constant_of_shape(node, scope)
        else:
            self.plain_node(node, scope)
        scope.nodes.append(node)

    def plain_node(self, node: NodeProto, scope: Scope) -> None:
        schema = schema_of(node, self.opsets)
        decided = self.decide(node, scope, schema)
        for index, name in enumerate(node.input):
            if name and scope.is_float(name):
                node.input[index] = self.need(name, decided.get(index, False), scope)
        variables = {formal(schema.inputs, i).type_str: yes for i, yes in decided.items()} if schema else {}
        if decided and not any(decided.values()) and node.op_type not in ("Constant", "Cast"):
            self.kept[node.op_type] = self.kept.get(node.op_type, 0) + 1
        attribute = typed_attribute(node)
        for index, name in enumerate(node.output):
            if not name or schema is None or scope.types.get(name, FLOAT) != FLOAT:
                continue
            declared = formal(schema.outputs, index)
            if variables.get(declared.type_str):
                scope.narrow.add(name)
            elif attribute is not None and attribute.i == FLOAT and self.narrow.type_name in declared.types:
                attribute.i = self.narrow.code
                scope.narrow.add(name)

    def decide(self, node: NodeProto, scope: Scope, schema: Any) -> dict[int, bool]:
        """For each floating input, whether the node takes it narrow: all of one type variable or none."""
        floats = [index for index, name in enumerate(node.input) if name and scope.is_float(name)]
        if schema is None or node.op_type in KEPT:
            return dict.fromkeys(floats, False)
        allowed: dict[str, bool] = {}
        for index in floats:
            declared = formal(schema.inputs, index)
            fits = self.narrow.type_name in declared.types and index not in KEPT_INPUTS.get(node.op_type, ())
            allowed[declared.type_str] = allowed.get(declared.type_str, True) and fits
        return {index: allowed[formal(schema.inputs, index).type_str] for index in floats}

    def constant_of_shape(self, node: NodeProto, scope: Scope) -> None:
        """Zeros or another value of a given shape: the value's type is the output's."""
        import onnx

        attribute = next((each for each in node.attribute if each.name == "value"), None)
        if attribute is None:
            zero = onnx.helper.make_tensor("value", FLOAT, [1], [0.0])
            attribute = onnx.helper.make_attribute("value", zero)
            node.attribute.append(attribute)
            attribute = node.attribute[-1]
        if attribute.t.data_type == FLOAT:
            attribute.t.CopyFrom(self.narrow.tensor(attribute.t, attribute.t.name))
            scope.narrow.add(node.output[0])

    def node_with_graphs(self, node: NodeProto, scope: Scope) -> None:
        """Branches and loops: everything floating that goes into or comes out of them is narrow."""
        if node.op_type != "If":
            for index, name in enumerate(node.input):
                if name and scope.is_float(name):
                    node.input[index] = self.need(name, True, scope)
        kinds: list[int] = []
        for attribute in node.attribute:
            if attribute.HasField("g"):
                inner = self.graph(attribute.g, scope)
                kinds = [each.type.tensor_type.elem_type for each in inner.graph.output]
        first = 1 if node.op_type == "Loop" else 0  # a loop's body gives its condition first
        for name, kind in zip(node.output, kinds[first:], strict=False):
            if name and kind == self.narrow.code:
                scope.types.setdefault(name, FLOAT)
                scope.narrow.add(name)

    def need(self, name: str, narrow: bool, scope: Scope) -> str:
        """The name of a value in the wanted type, made by a cast or as a constant where there is none yet."""
        holder = scope.holder(name)
        assert holder is not None
        if name in holder.constants:
            return self.constant(name, narrow, holder)
        if (name in holder.narrow) == narrow:
            return name
        known = scope.made.get((name, narrow))
        if known is None:
            known = self.cast(name, narrow, scope)
            scope.made[(name, narrow)] = known
        return known

    def constant(self, name: str, narrow: bool, holder: Scope) -> str:
        """A constant in the wanted type: both may be needed, and neither is made from the other's rounding."""
        if not narrow:
            holder.made[(name, False)] = name
            return name
        known = holder.made.get((name, True))
        if known is None:
            known = self.unique(name)
            holder.graph.initializer.append(self.narrow.tensor(holder.constants[name], known))
            holder.made[(name, True)] = known
        return known

    def cast(self, name: str, narrow: bool, scope: Scope) -> str:
        """Append a cast and return what it gives."""
        import onnx

        made = self.unique(name)
        code = self.narrow.code if narrow else FLOAT
        scope.nodes.append(onnx.helper.make_node("Cast", [name], [made], name=f"cast_{made}", to=code))
        return made

    def unique(self, name: str) -> str:
        """A name that the model does not use."""
        self.fresh += 1
        return f"{name}_{self.narrow.suffix}_{self.fresh}"

    def outputs(self, scope: Scope) -> None:
        """Give a graph's outputs their type: float32 outside, narrow inside another graph."""
        import onnx

        inside = scope.outer is not None
        for output in scope.graph.output:
            name = output.name
            if not scope.is_float(name):
                continue
            if inside:
                output.type.tensor_type.elem_type = self.narrow.code
            holder = scope.holder(name)
            assert holder is not None
            if name not in holder.constants and (name in holder.narrow) == inside:
                continue
            wanted = self.need(name, inside, scope) if holder is not scope or name in scope.constants else ""
            if wanted:
                if wanted != name:
                    output.name = self.unique(name)
                    scope.nodes.append(onnx.helper.make_node("Identity", [wanted], [output.name]))
                continue
            inner = self.unique(name)
            rename(scope.nodes, name, inner)
            code = self.narrow.code if inside else FLOAT
            scope.nodes.append(onnx.helper.make_node("Cast", [inner], [name], name=f"cast_{name}", to=code))


def collect(scope: Scope) -> None:
    """Note the types of a graph's values and its floating constants; inputs with a default become constants."""
    graph = scope.graph
    constants = {each.name: each for each in graph.initializer}
    inputs = [each for each in graph.input if each.name not in constants]
    del graph.input[:]
    graph.input.extend(inputs)
    for each in (*graph.value_info, *graph.output, *graph.input):
        scope.types[each.name] = each.type.tensor_type.elem_type if each.type.HasField("tensor_type") else -1
    for name, tensor in constants.items():
        scope.types[name] = tensor.data_type
        if tensor.data_type == FLOAT:
            scope.constants[name] = tensor
    for node in graph.node:
        value = constant_value(node)
        if value is not None:
            scope.types[node.output[0]] = value.data_type
            if value.data_type == FLOAT:
                scope.constants[node.output[0]] = value
        for name in node.output:
            if name and not node.domain.startswith("ai.onnx") and node.domain:
                scope.types.setdefault(name, FLOAT)  # an operator of another domain: nothing else is known


def rename(nodes: Iterable[NodeProto], old: str, new: str) -> None:
    """Call a value something else in these nodes and in the graphs inside them."""
    for node in nodes:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                if name == old:
                    names[index] = new
        for attribute in node.attribute:
            if attribute.HasField("g"):
                rename(attribute.g.node, old, new)


def schema_of(node: NodeProto, opsets: dict[str, int]) -> Any:
    """The operator's schema at the model's opset, or None for operators outside the standard."""
    import onnx

    domain = "" if node.domain == "ai.onnx" else node.domain
    try:
        return onnx.defs.get_schema(node.op_type, opsets.get(domain, 1), domain)
    except onnx.defs.SchemaError:
        return None


def formal(parameters: Any, index: int) -> Any:
    """The formal parameter of an input or output; the last one repeats."""
    return parameters[min(index, len(parameters) - 1)]


def typed_attribute(node: NodeProto) -> Any:
    """The attribute that says what type a node gives, or None."""
    wanted = TYPED_BY_ATTRIBUTE.get(node.op_type)
    return next((each for each in node.attribute if each.name == wanted), None)


@dataclass(frozen=True)
class Lowered:
    """The model in half precision, how many operators kept float32 by type, and what to warn of."""

    model: ModelProto
    kept: dict[str, int]
    warnings: tuple[str, ...]


def lower_graph(model: ModelProto, dtype: str) -> Lowered:
    """Narrow a model. Raises StepFailed when the result's types do not agree."""
    import onnx

    from engine.conversion.onnx_preparing import prepared

    model, valid = prepared(model, dtype)
    opsets = {each.domain if each.domain != "ai.onnx" else "": each.version for each in model.opset_import}
    narrow = Narrow(dtype)
    lowering = Lowering(narrow, opsets)
    scope = lowering.graph(model.graph, None)
    drop_unused(model.graph, scope)
    if valid:
        try:
            onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
        except onnx.shape_inference.InferenceError as error:
            raise StepFailed(
                f"The graph in {dtype} has types that do not agree: {str(error).strip().splitlines()[-1][:240]}",
                "Apply half before converting to ONNX, or leave it out.",
            ) from error
    warnings = []
    if lowering.kept:
        listed = ", ".join(f"{count} × {name}" for name, count in sorted(lowering.kept.items()))
        warnings.append(f"These operators stay in float32: {listed}.")
    if narrow.clamped:
        warnings.append(f"{narrow.clamped:,} constants lay beyond the range of {dtype} and were clamped.")
    return Lowered(model, lowering.kept, tuple(warnings))


def drop_unused(graph: GraphProto, scope: Scope) -> None:
    """Remove the float32 form of constants that are used in narrow form alone, here and in inner graphs."""
    used = used_names(graph)
    for each in graphs_in(graph):
        kept = [tensor for tensor in each.initializer if tensor.name in used]
        del each.initializer[:]
        each.initializer.extend(kept)
        nodes = [node for node in each.node if node.op_type != "Constant" or set(node.output) & used]
        del each.node[:]
        each.node.extend(nodes)


def graphs_in(graph: GraphProto) -> Iterable[GraphProto]:
    """A graph and every graph inside its nodes."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from graphs_in(attribute.g)


def used_names(graph: GraphProto) -> set[str]:
    """Every name that a node reads or a graph gives."""
    return {
        name
        for each in graphs_in(graph)
        for name in (*(name for node in each.node for name in node.input), *(output.name for output in each.output))
    }
