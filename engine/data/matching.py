"""Give every input of the model its array from a data set, checked for shape, dtype and NaN."""

from __future__ import annotations

from math import prod

import numpy as np

from engine.catalog.base import BATCH
from engine.data import pixels
from engine.data.raw import RawData
from engine.errors import BadInput
from engine.feeds import numpy_dtype
from engine.spec import ModelSpec, TensorSpec

COMMON = ("x", "inputs", "input", "data", "images", "features")


def require_batch_in_front(spec: ModelSpec) -> None:
    """Raise BadInput for a model that takes the sequence before the batch: samples would be mixed up."""
    for each in spec.tensor_inputs:
        if BATCH in each.shape[1:]:
            place = each.shape.index(BATCH) + 1
            raise BadInput(
                f"Input {each.name} has the batch as dimension {place}, and data sets need it first.",
                "Export the model with batch_first=True, or compare it without a data set.",
            )


def feeds_from_arrays(
    raw: RawData, arrays: dict[str, np.ndarray], indices: np.ndarray, spec: ModelSpec, columns: dict[str, str]
) -> tuple[dict[str, np.ndarray], list[str]]:
    """One array for each tensor input, at `indices`, and notes; raises BadInput when one doesn't fit."""
    chosen, notes = choose(raw, arrays, spec, columns)
    feeds: dict[str, np.ndarray] = {}
    for tensor in spec.tensor_inputs:
        if tensor.name in chosen:
            feeds[tensor.name] = fit(raw, chosen[tensor.name], indices, tensor, spec, notes)
    for tensor in spec.tensor_inputs:
        if tensor.name not in feeds:
            feeds[tensor.name] = derive(raw, tensor, feeds, notes)
    return {each.name: feeds[each.name] for each in spec.tensor_inputs}, notes


def choose(
    raw: RawData, arrays: dict[str, np.ndarray], spec: ModelSpec, columns: dict[str, str]
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Which array belongs to which input: as the user said, by name, or the only possibility."""
    names = [each.name for each in spec.tensor_inputs]
    chosen: dict[str, np.ndarray] = {}
    for name in names:
        wanted = columns.get(name, name)
        if wanted in arrays:
            chosen[name] = arrays[wanted]
        elif name in columns:
            raise BadInput(f"{raw.name} has no array {wanted!r}.", f"It has {', '.join(arrays)}.")
    if not chosen:
        common = [each for each in arrays if each.lower() in COMMON]
        lone = common[0] if len(common) == 1 else next(iter(arrays)) if len(arrays) == 1 else ""
        if not lone:
            raise BadInput(
                f"None of {raw.name}'s arrays ({', '.join(arrays)}) is named like an input of the model.",
                f"Name them {', '.join(names)}.",
            )
        chosen[names[0]] = arrays[lone]
    unused = [each for each, array in arrays.items() if not any(array is other for other in chosen.values())]
    return chosen, [f"Not used: {', '.join(unused)}."] if unused else []


def derive(raw: RawData, tensor: TensorSpec, feeds: dict[str, np.ndarray], notes: list[str]) -> np.ndarray:
    """An attention mask or segment ids that follow from the token ids; raises BadInput for anything else."""
    tokens = next((each for each in feeds.values() if each.ndim == 2 and each.dtype.kind in "iu"), None)
    if tokens is not None and tensor.dtype.startswith(("int", "uint", "bool")):
        if "mask" in tensor.name:
            notes.append(f"{tensor.name} was made from the ids: 0 is padding.")
            return np.asarray(tokens != 0).astype(tensor.dtype)
        if "type" in tensor.name or "segment" in tensor.name:
            return np.zeros_like(tokens, dtype=tensor.dtype)
    raise BadInput(f"{raw.name} has nothing for the model's input {tensor.name}.", f"Add an array named {tensor.name}.")


def fit(
    raw: RawData, array: np.ndarray, indices: np.ndarray, tensor: TensorSpec, spec: ModelSpec, notes: list[str]
) -> np.ndarray:
    """One array as one input takes it. uint8 arrays for an image input are raw pixels."""
    if (
        array.dtype == np.uint8
        and array.ndim in (3, 4)
        and len(spec.tensor_inputs) == 1
        and len(tensor.shape) in (3, 4)
    ):
        return pixels.from_array(raw, array, indices, spec)
    if array.dtype.kind not in "biuf":
        raise BadInput(
            f"{raw.name} holds {array.dtype} values for input {tensor.name}, which takes {tensor.dtype}.",
            "Give numbers.",
        )
    values = reshape(raw, array[indices], tensor, spec, notes)
    check_values(raw, values, tensor)
    return np.ascontiguousarray(values.astype(numpy_dtype(tensor.dtype), copy=False))


def reshape(raw: RawData, values: np.ndarray, tensor: TensorSpec, spec: ModelSpec, notes: list[str]) -> np.ndarray:
    """Check the shape against the input's; flat samples and dimensions of 1 are put in order."""
    wanted = [each if isinstance(each, int) else spec.sizes.get(each) for each in tensor.shape[1:]]
    found = values.shape[1:]
    if len(found) == len(wanted) and all(want in (None, have) for want, have in zip(wanted, found, strict=True)):
        return values
    if None not in wanted and prod(found) == prod(int(each or 1) for each in wanted):
        target = tuple(int(each or 1) for each in wanted)
        if len(found) == 1 or [each for each in found if each != 1] == [each for each in target if each != 1]:
            notes.append(f"Each sample of {show(found)} values was taken as {show(target)}.")
            return values.reshape(len(values), *target)
    shape = "×".join(str(each) for each in tensor.shape[1:]) or "one value"
    sized = {each: spec.sizes[each] for each in tensor.dynamic[1:] if each in spec.sizes}
    clause = f" with {', '.join(f'{name} = {size}' for name, size in sized.items())}" if sized else ""
    hint = "Save the inputs in the model's shape."
    if sized and len(found) == len(wanted):
        hint = f"Give --shape {tensor.name}=1x{'x'.join(map(str, found))} to measure at the data set's size."
    raise BadInput(f"A sample of {raw.name} is {show(found)}, and input {tensor.name} takes {shape}{clause}.", hint)


def show(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "one value"


def check_values(raw: RawData, values: np.ndarray, tensor: TensorSpec) -> None:
    """Raise BadInput on NaN or infinity, fractions for an integer input, and ids that are out of range."""
    if values.dtype.kind == "f":
        bad = int((~np.isfinite(values)).reshape(len(values), -1).any(1).sum())
        if bad:
            raise BadInput(
                f"{bad} of {len(values)} samples of {raw.name} have NaN or infinite values.", "Remove or repair them."
            )
    if not tensor.dtype.startswith(("int", "uint")):
        return
    if values.dtype.kind == "f" and (values != np.round(values)).any():
        raise BadInput(
            f"{raw.name} has fractions, and input {tensor.name} takes {tensor.dtype}.", "Give whole numbers."
        )
    if tensor.high is not None and values.size and (values.max() >= tensor.high or values.min() < (tensor.low or 0)):
        raise BadInput(
            f"{raw.name} has values from {values.min()} to {values.max()} for input {tensor.name}, "
            f"which takes {int(tensor.low or 0)} to {int(tensor.high) - 1}.",
            "Choose the data set that the model was made for.",
        )
