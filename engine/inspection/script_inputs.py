"""Guess the inputs of a script, which carries no shapes, from the first weights its inputs meet."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from engine.catalog.base import BATCH
from engine.errors import BadInput, Unsupported
from engine.inspection.first_layer import Guess, pictures
from engine.spec import TensorSpec

RATE = re.compile(r"^(sr|fs|rate|sample_?rate|sampling_?rate)$", re.I)
PASSES_ON = {
    "aten::to", "aten::float", "aten::contiguous", "aten::clone", "aten::detach", "aten::mul", "aten::div", "aten::sub",
    "aten::add", "aten::relu", "aten::dropout", "aten::pad", "aten::reflection_pad1d", "aten::alias", "aten::type_as",
    "aten::quantize_per_tensor", "aten::dequantize", "aten::long", "aten::zero_pad2d", "aten::constant_pad_nd",
}  # fmt: skip
BINARY = {"aten::mul", "aten::div", "aten::sub", "aten::add"}
RESHAPES = {"aten::view", "aten::reshape", "aten::flatten"}
MATMULS = {"aten::linear": 1, "aten::matmul": 1, "aten::mm": 1, "aten::addmm": 2}
RECURRENT = {"aten::lstm", "aten::gru", "aten::rnn_tanh", "aten::rnn_relu"}
CONSTANTS: dict[str, tuple[Any, ...]] = {
    "int": (1, 2, 0, 16), "float": (1.0, 0.5), "bool": (False, True), "str": ("",), "number": (1.0,)
}  # fmt: skip
TRIALS = 40


def script_candidates(module: Any, graph: Any, given: Mapping[str, Any]) -> Iterator[tuple[TensorSpec, ...]]:
    """Inputs worth trying, the likeliest first.

    `given` may hold `shapes` and `constants` by name, which are then not guessed.
    Raises Unsupported for inputs that are neither tensors nor plain values.
    """
    arguments = required(module)
    values = list(graph.inputs())[1:]
    choices: list[list[TensorSpec]] = []
    for argument, value in zip(arguments, values, strict=False):
        choices.append(choices_for(argument, value, module, given))
    first = next((each[0] for each in choices if each and each[0].constant is None and each[0].shape), None)
    for each, argument in zip(choices, arguments, strict=True):
        if not each:
            each.extend(like(first, argument.name))
    yield from itertools.islice(itertools.product(*choices), TRIALS)


def required(module: Any) -> list[Any]:
    """The arguments of `forward` that have no default; raises BadInput where there is no `forward`."""
    if "forward" not in module._c._method_names():
        raise BadInput("This TorchScript file has no forward method.", "Save a module whose forward is scripted.")
    arguments = module.forward.schema.arguments[1:]
    return [each for each in arguments if not each.has_default_value()]


def choices_for(argument: Any, value: Any, module: Any, given: Mapping[str, Any]) -> list[TensorSpec]:
    """What one argument may be; an empty list for a tensor that meets no weight."""
    name = argument.name
    kind = str(argument.type).removeprefix("Optional[").rstrip("]") if "Tensor" in str(argument.type) else ""
    if kind not in ("", "Tensor"):
        raise Unsupported(
            f"The input {name!r} is a {argument.type}, and only tensors and plain values can be given.",
            "Wrap the model in one that takes tensors, and script that.",
        )
    if not kind:
        return constants(name, str(argument.type), given)
    guesses = list(met(value, module))
    if name in given.get("shapes", {}):
        return shaped(name, given["shapes"][name], guesses)
    return [TensorSpec(name, dtype, shape, low=0 if high else None, high=high) for shape, dtype, high in guesses]


def constants(name: str, kind: str, given: Mapping[str, Any]) -> list[TensorSpec]:
    """The plain values to try for an argument that is no tensor."""
    if name in given.get("constants", {}):
        return [TensorSpec(name, kind, constant=given["constants"][name])]
    if kind not in CONSTANTS:
        raise Unsupported(
            f"The input {name!r} is a {kind}, and only tensors and plain values can be given.",
            "Wrap the model in one that takes tensors, and script that.",
        )
    values = (16000, 8000) if kind == "int" and RATE.match(name) else CONSTANTS[kind]
    return [TensorSpec(name, kind, constant=each) for each in values]


def shaped(name: str, shape: tuple[int, ...], guesses: list[Guess]) -> list[TensorSpec]:
    """A shape the user gave: the first dimension is tried as the batch, then as it stands."""
    dtype, high = (guesses[0][1], guesses[0][2]) if guesses else ("float32", None)
    low = 0 if high else None
    dynamic = TensorSpec(name, dtype, (BATCH, *shape[1:]) if shape else (), low=low, high=high)
    return [dynamic, TensorSpec(name, dtype, tuple(shape), low=low, high=high)]


def like(first: TensorSpec | None, name: str) -> list[TensorSpec]:
    """What a tensor may be that meets no weight itself: the same as the first input, or the usual kinds."""
    if first is not None:
        whole = first.dtype.startswith("int")
        mask = replace(first, name=name, low=1, high=2) if whole else replace(first, name=name)
        return [mask, TensorSpec(name, "float32", (BATCH,))]
    return [
        TensorSpec(name, "float32", (BATCH, "features")),
        TensorSpec(name, "float32", (BATCH, 3, "height", "width")),
        TensorSpec(name, "float32", (BATCH, "sequence", "features")),
        TensorSpec(name, "float32", (BATCH, 1, "samples")),
        TensorSpec(name, "int64", (BATCH, "sequence")),
        TensorSpec(name, "float32", (BATCH,)),
        TensorSpec(name, "float32", ()),
    ]


def met(value: Any, module: Any) -> Iterator[Guess]:
    """Shapes that fit the first weights a value meets on its way through the graph."""
    waiting = [(value, frozenset[str]())]
    seen = {value.debugName()}
    while waiting:
        current, path = waiting.pop(0)
        for use in current.uses():
            node = use.user
            found = consumer(node, current, path, module)
            if found:
                yield from found
                return
            kind = node.kind()
            if kind in BINARY and not all(is_plain(each) for each in others(node, current)):
                continue
            if kind in PASSES_ON | RESHAPES | {"aten::permute", "aten::transpose", "aten::unsqueeze", "aten::cat"} or (
                kind == "prim::ListConstruct" and any(u.user.kind() == "aten::cat" for u in node.output().uses())
            ):
                output = node.output()
                if output.debugName() not in seen:
                    seen.add(output.debugName())
                    waiting.append((output, path | {kind}))


def others(node: Any, value: Any) -> list[Any]:
    """The inputs of an operator besides one."""
    return [each for each in node.inputs() if each.debugName() != value.debugName()]


def is_plain(value: Any) -> bool:
    """Whether a value is a number, or a tensor stored with the script."""
    return str(value.type()) != "Tensor" or value.node().kind() in ("prim::Constant", "prim::GetAttr")


def consumer(node: Any, value: Any, path: frozenset[str], module: Any) -> list[Guess]:
    """The shapes that fit one operator's weight, or nothing when it has none."""
    kind, inputs = node.kind(), list(node.inputs())
    same = [each.debugName() == value.debugName() for each in inputs]
    if kind in ("aten::_convolution", "aten::conv1d", "aten::conv2d", "aten::conv3d", "aten::convolution") and same[0]:
        weight = stored(inputs[1], module)
        groups = constant(inputs[8] if kind in ("aten::_convolution", "aten::convolution") else inputs[6]) or 1
        return convolution(weight, int(groups), path) if weight is not None else []
    if kind in MATMULS and same[MATMULS[kind] - 1]:
        weight = stored(inputs[MATMULS[kind]], module)
        width = None if weight is None else weight.shape[1] if kind == "aten::linear" else weight.shape[0]
        return linear(int(width), path) if width is not None else []
    if kind == "aten::embedding" and same[1]:
        weight = stored(inputs[0], module)
        rows = None if weight is None else weight.shape[0]
        return [((BATCH, "sequence"), "int64", rows), ((BATCH,), "int64", rows)] if rows else []
    if kind in RECURRENT and same[0]:
        weight = stored(next(iter(inputs[2].node().inputs()), inputs[2]), module)
        batch_first = constant(inputs[-1])
        order = (BATCH, "sequence") if batch_first else ("sequence", BATCH)
        return [((*order, int(weight.shape[1])), "float32", None)] if weight is not None else []
    if kind == "aten::batch_norm" and same[0]:
        weight = stored(inputs[3], module)
        width = None if weight is None else int(weight.shape[0])
        return [((BATCH, width, "height", "width"), "float32", None), *linear(width, path)] if width else []
    if kind == "aten::layer_norm" and same[0]:
        weight = stored(inputs[2], module)
        return linear(int(weight.shape[-1]), path) if weight is not None and weight.dim() == 1 else []
    return []


def convolution(weight: Any, groups: int, path: frozenset[str]) -> list[Guess]:
    """What a convolution's weight says about its input."""
    channels = int(weight.shape[1]) * groups
    places: tuple[str, ...] = {3: ("samples",), 4: ("height", "width"), 5: ("frames", "height", "width")}[weight.dim()]
    straight: Guess = ((BATCH, channels, *places), "float32", None)
    last: Guess = ((BATCH, *places, channels), "float32", None)
    flat: Guess = ((BATCH, *places), "float32", None)
    found = [last, straight] if "aten::permute" in path or "aten::transpose" in path else [straight]
    return [flat, *found] if "aten::unsqueeze" in path and channels == 1 else found


def linear(width: int, path: frozenset[str]) -> list[Guess]:
    """What a linear layer's width says about its input."""
    plain: list[Guess] = [((BATCH, width), "float32", None), ((BATCH, "sequence", width), "float32", None)]
    return [*pictures(width), *plain] if path & RESHAPES else [*plain, *pictures(width)]


def stored(value: Any, module: Any) -> Any:
    """The tensor behind a value of the graph: an attribute or a constant, also transposed or cast; else None."""
    node = value.node()
    kind = node.kind()
    if kind == "prim::Constant":
        return node.t("value") if node.hasAttribute("value") and node.kindOf("value") == "t" else None
    if kind == "prim::GetAttr":
        names = []
        while node.kind() == "prim::GetAttr":
            names.append(node.s("name"))
            node = next(iter(node.inputs())).node()
        found = module
        for name in reversed(names):
            found = getattr(found, name, None)
        return found if hasattr(found, "shape") else None
    if kind in ("aten::t", "aten::transpose"):
        inner = stored(next(iter(node.inputs())), module)
        return inner.t() if inner is not None and inner.dim() == 2 else None
    if kind in ("aten::to", "aten::dequantize", "prim::unchecked_cast", "aten::contiguous"):
        return stored(next(iter(node.inputs())), module)
    return None


def constant(value: Any) -> Any:
    """The plain value of a constant, or None."""
    node = value.node()
    return value.toIValue() if node.kind() == "prim::Constant" else None
