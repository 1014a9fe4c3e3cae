"""Half precision for ONNX graphs: weights and activations narrow, inputs and outputs float32.

An operator is narrowed when its own schema allows the type, so the rules follow the standard and
not a list of names. Where an operator takes float32 alone, casts are put around it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.conversion.onnx_constants import Narrow
from engine.conversion.onnx_scopes import FLOAT, Scope, collect, drop_unused, rename
from engine.errors import StepFailed

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

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
    lowering.graph(model.graph, None)
    drop_unused(model.graph)
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
