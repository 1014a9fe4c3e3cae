"""Guess the inputs of a script, which carries no shapes, from the first weights its inputs meet."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from engine.admission.listed_inputs import required
from engine.catalog.base import BATCH
from engine.errors import BadInput, Unsupported
from engine.inspection.first_layer import Guess
from engine.inspection.script_weights import met
from engine.spec import TensorSpec

RATE = re.compile(r"^(sr|fs|rate|sample_?rate|sampling_?rate)$", re.I)
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
    unknown = sorted(given.get("shapes", {}).keys() - {each.name for each in arguments})
    if unknown:
        raise BadInput(f"The model has no input {unknown[0]!r}.", f"Its inputs: {named(arguments)}.")
    values = list(graph.inputs())[1:]
    choices: list[list[TensorSpec]] = []
    for argument, value in zip(arguments, values, strict=False):
        choices.append(choices_for(argument, value, module, graph, given))
    first = next((each[0] for each in choices if each and each[0].constant is None and each[0].shape), None)
    for each, argument in zip(choices, arguments, strict=True):
        if not each:
            each.extend(like(first, argument.name))
    likely = list(itertools.islice(itertools.product(*choices), TRIALS))
    yield from likely
    kind = weight_dtype(module)
    if kind != "float32":
        for inputs in likely:
            yield tuple(replace(each, dtype=kind) if each.dtype == "float32" else each for each in inputs)


def weight_dtype(module: Any) -> str:
    """The dtype of the weights where they share one that is not float32; inputs may have to be of it."""
    kinds = {str(each.dtype).removeprefix("torch.") for each in module.parameters() if each.is_floating_point()}
    return kinds.pop() if len(kinds) == 1 else "float32"


def named(arguments: list[Any]) -> str:
    """The names of arguments, for a sentence."""
    return ", ".join(each.name for each in arguments) or "none"


def require_forward(module: Any) -> None:
    """Raise BadInput where there is no `forward` to call."""
    if "forward" not in module._c._method_names():
        raise BadInput("This TorchScript file has no forward method.", "Save a module whose forward is scripted.")


def choices_for(argument: Any, value: Any, module: Any, graph: Any, given: Mapping[str, Any]) -> list[TensorSpec]:
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
    guesses = list(met(value, module, graph))
    shapes = given.get("shapes", {})
    if name in shapes:
        alike = len({each[0] for each in shapes.values() if each}) == 1
        return shaped(name, shapes[name], guesses, batched=alike)
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


def shaped(name: str, shape: tuple[int, ...], guesses: list[Guess], *, batched: bool) -> list[TensorSpec]:
    """A shape the user gave: where it may be `batched`, the first dimension is tried as the batch, then as it is."""
    kinds = [(guesses[0][1], guesses[0][2])] if guesses else [("float32", None), ("int64", None)]
    places: list[tuple[int | str, ...]] = [(BATCH, *shape[1:]), tuple(shape)] if shape and batched else [tuple(shape)]
    return [
        TensorSpec(name, dtype, dims, low=0 if high else None, high=high) for dtype, high in kinds for dims in places
    ]


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
