"""Inspect an ONNX graph: its declarations first, then a few runs for what they leave open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.admission.onnx_files import broken_rule
from engine.artifact import Artifact
from engine.catalog.base import BATCH
from engine.errors import BadInput, Unsupported
from engine.inspection.dimensions import Raw, clean, default_sizes, name_inputs
from engine.inspection.drawing import drawn
from engine.inspection.facts import assemble
from engine.inspection.observe import Observation, Run, last_line, observe
from engine.inspection.onnx_structure import onnx_structure
from engine.inspection.onnx_values import all_readers, one_hot_codes, shapes_met, state_pairs, with_range
from engine.spec import ModelSpec, TensorSpec

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto

DATA_DEPENDENT = {"NonMaxSuppression", "NonZero", "Unique", "Compress", "Loop"}
LOOPS = ("If", "Loop", "Scan")
WEIGHTS = {1, 2, 3, 4, 5, 6, 10, 11, 16, 17, 18, 19, 20, 21, 22, 23}
MANY_LAYERS, LONG_NAME = 3000, 48


def inspect_onnx(artifact: Artifact, progress: Any) -> ModelSpec:
    """Say what an ONNX artifact is. Raises Unsupported for inputs or outputs that are not tensors."""
    from engine.formats.onnx import load, model_path

    progress(0.2, "Reading the graph")
    model = inline(load(artifact.path, weights=False))
    graph = model.graph
    stored = {each.name for each in graph.initializer}
    asked = [each for each in graph.input if each.name not in stored]
    outputs = [declared(each, "output") for each in graph.output]
    readers = all_readers(graph)
    tables = {each.name: tuple(each.dims) for each in graph.initializer}
    widths = {name: dims[0] for name, dims in tables.items() if len(dims) > 1}
    codes = one_hot_codes(graph)
    operators = Counter(each.op_type for each in nodes(graph))
    progress(0.4, "Running it once")
    run = opened(model_path(artifact.path))
    for raw in variants([declared(each, "input") for each in asked], readers, tables):
        inputs = tuple(with_range(each, readers, widths, codes) for each in name_inputs(raw))
        inputs, pairs = with_states(inputs, raw, outputs)
        seen = run_it(run, inputs, outputs, bool(DATA_DEPENDENT & set(operators)))
        if not seen.error:
            break
    sizes, rows = weights(graph), layers(graph)
    picture, undrawn = drawn(lambda: onnx_structure(model, sizes))
    return assemble(
        artifact,
        seen,
        guessed=[*unsure(inputs), *(f"input {e.name}" for e in asked if not e.type.tensor_type.HasField("shape"))],
        opset=next((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), None),
        parameters=sum(sizes.values()),
        operators=dict(operators.most_common()),
        control_flow=sum(operators[each] for each in LOOPS),
        state="explicit" if pairs else "none",
        state_pairs=pairs,
        layers=rows,
        graph=picture,
        notes=undrawn,
    )


def inline(model: ModelProto) -> ModelProto:
    """The graph with its own functions written out, so that their operators count."""
    import onnx.inliner

    return onnx.inliner.inline_local_functions(model) if model.functions else model


def declared(value: ValueInfoProto, role: str) -> Raw:
    """An input or output as the graph declares it; raises Unsupported when it is no tensor of numbers."""
    from onnx import TensorProto, helper

    if not value.type.HasField("tensor_type"):
        kind = (value.type.WhichOneof("value") or "value without a type").replace("_type", "")
        raise Unsupported(
            f"The {role} {value.name!r} is a {kind}, and only tensors can be compared.",
            "Export it with plain tensors (for scikit-learn: options={'zipmap': False}).",
        )
    kind = value.type.tensor_type.elem_type
    if kind == TensorProto.STRING:
        raise Unsupported(
            f"The {role} {value.name!r} holds text, and only numbers can be timed and compared.",
            "Export the model without its text preprocessing.",
        )
    dtype = "bfloat16" if kind == TensorProto.BFLOAT16 else np.dtype(helper.tensor_dtype_to_np_dtype(kind)).name
    if not value.type.tensor_type.HasField("shape"):
        return Raw(value.name, dtype, None)
    dims = tuple(
        each.dim_value if each.HasField("dim_value") else each.dim_param if each.HasField("dim_param") else None
        for each in value.type.tensor_type.shape.dim
    )
    return Raw(value.name, dtype, dims)


def with_states(
    inputs: tuple[TensorSpec, ...], raw: list[Raw], outputs: list[Raw]
) -> tuple[tuple[TensorSpec, ...], tuple[tuple[str, str], ...]]:
    """Inputs that carry state start at zero; returns them with the pairs of output and input.

    A dimension of a state that has no name is taken for the batch when the other inputs have one.
    """
    loose = [TensorSpec(each.name, each.dtype, tuple(clean(d) or "?" for d in each.dims or ())) for each in outputs]
    pairs = state_pairs(inputs, loose)
    states = {target for _, target in pairs}
    batched = any(BATCH in each.shape for each in inputs if each.name not in states)
    changed = []
    for each, declared_ in zip(inputs, raw, strict=True):
        if each.name in states:
            dims = zip(each.shape, declared_.dims or (), strict=True)
            shape = tuple(BATCH if batched and clean(old) is None else new for new, old in dims)
            each = replace(each, shape=shape, low=0, high=0 if each.dtype.startswith(("float", "bfloat")) else 1)
        changed.append(each)
    return tuple(changed), pairs


def variants(raw: list[Raw], readers: Any, tables: dict[str, tuple[int, ...]]) -> list[list[Raw]]:
    """The inputs as declared; where a shape is missing altogether, one set for each shape worth trying."""
    blank = [each for each in raw if each.dims is None]
    if not blank:
        return [raw]
    choices = {each.name: shapes_met(each.name, readers, tables) for each in blank}
    longest = max(map(len, choices.values()))
    return [
        [replace(e, dims=choices[e.name][min(i, len(choices[e.name]) - 1)]) if e.name in choices else e for e in raw]
        for i in range(longest)
    ]


def run_it(run: Run, inputs: tuple[TensorSpec, ...], outputs: list[Raw], by_data: bool) -> Observation:
    """See what the graph takes and gives; `by_data` says that its outputs' sizes may depend on values."""
    names = [each.name for each in outputs]
    seen = observe(run, inputs, default_sizes(inputs), names)
    if seen.error:
        note = f"It did not run on inputs made up from its declarations: {seen.error}"
        plain = tuple(TensorSpec(t.name, t.dtype, shape_of(t)) for t in outputs)
        return replace(seen, outputs=plain, notes=(*seen.notes, note), guessed=tuple(seen.sizes))
    merged = tuple(merge(each, one, by_data) for each, one in zip(outputs, seen.outputs, strict=True))
    return replace(seen, outputs=merged)


def opened(path: Path) -> Run:
    """A function that runs a graph; raises BadInput or Unsupported when ONNX Runtime can't open it."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions share no base class
        text = last_line(error)
        if "NOT_IMPLEMENTED" in str(error) or "not implemented" in text.lower() or "opset" in text.lower():
            raise Unsupported(
                f"ONNX Runtime has no implementation of this graph on a CPU: {text}",
                "Export it in float32, or with another opset.",
            ) from error
        raise BadInput(
            f"ONNX Runtime can't open this graph: {broken_rule(path) or text}", "Export it again."
        ) from error
    dtypes = {each.name: each.type for each in session.get_inputs()}

    def run(feeds: dict[str, Any]) -> list[np.ndarray]:
        arrays = {
            name: np.asarray(value).astype(
                bfloat16() if dtypes[name] == "tensor(bfloat16)" else np.asarray(value).dtype
            )
            for name, value in feeds.items()
        }
        return [np.asarray(each) for each in session.run(None, arrays)]

    return run


def bfloat16() -> Any:
    import ml_dtypes

    return ml_dtypes.bfloat16


def shape_of(tensor: Raw) -> tuple[int | str, ...]:
    """A declared shape with names for what has none."""
    return tuple(d if d is not None and d != 0 else f"{tensor.name}_dim{i}" for i, d in enumerate(tensor.dims or ()))


def merge(raw: Raw, seen: TensorSpec, by_data: bool) -> TensorSpec:
    """An output as it was seen to be, with the declared name where nothing better is known."""
    shape = list(seen.shape)
    for axis, size in enumerate(shape):
        declared_ = raw.dims or ()
        named = declared_[axis] if axis < len(declared_) == len(shape) else None
        named = None if isinstance(named, str) and len(named) > LONG_NAME else named
        if by_data and isinstance(size, int) and not isinstance(named, int):
            size = 0
        if isinstance(size, str) and size.startswith("output") and isinstance(named, str):
            shape[axis] = named
        elif size == 0:
            shape[axis] = named if isinstance(named, str) and named else f"{raw.name}_dim{axis}"
    return replace(seen, name=raw.name, dtype=raw.dtype, shape=tuple(shape))


def unsure(inputs: tuple[TensorSpec, ...]) -> list[str]:
    """Inputs whose values are a guess."""
    return [f"input {each.name}" for each in inputs if each.high is not None and each.dtype.startswith(("int", "uint"))]


def nodes(graph: GraphProto) -> Iterator[NodeProto]:
    """Every node of a graph and of its branches."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from nodes(attribute.g)
            for each in attribute.graphs:
                yield from nodes(each)


def weights(graph: GraphProto) -> dict[str, int]:
    """How many numbers each stored tensor holds: initializers and constants, without shapes and indices."""
    found = {each.name: int(np.prod(each.dims)) for each in graph.initializer if each.data_type in WEIGHTS}
    for node in nodes(graph):
        for attribute in node.attribute:
            if node.op_type == "Constant" and attribute.HasField("t") and attribute.t.data_type in WEIGHTS:
                found[node.output[0]] = int(np.prod(attribute.t.dims))
            if attribute.HasField("g"):
                found |= {e.name: int(np.prod(e.dims)) for e in attribute.g.initializer if e.data_type in WEIGHTS}
    return found


def layers(graph: GraphProto) -> tuple[tuple[str, str, int], ...]:
    """A row for each node: name, operator, stored numbers it reads."""
    sizes = weights(graph)
    rows = [
        (each.name or each.output[0], each.op_type, sum(sizes.get(value, 0) for value in each.input))
        for each in graph.node
        if each.op_type != "Constant" and (each.name or each.output)
    ]
    return tuple(rows[:MANY_LAYERS])
