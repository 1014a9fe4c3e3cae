"""Give every dynamic dimension a name, and find the one that is the batch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.catalog.base import BATCH
from engine.spec import TensorSpec

Dimension = int | str | None
NOT_A_BATCH = re.compile(r"^t$|seq|len|time|frame|token|step|point|node|edge|height|width|channel|num_?box|rois?", re.I)
SAYS_BATCH = re.compile(r"batch|^n$|^b$|^bs$|^bsz$", re.I)
DEFAULTS = {"height": 224, "width": 224, "sequence": 128}
IMAGE_CHANNELS = (1, 3, 4)
PICTURE, FRAME, CLIP, UNKNOWN = 224, 112, 16, 16


@dataclass(frozen=True)
class Raw:
    """An input or output as its file declares it; None is a dimension without a name, or a shape that is not given."""

    name: str
    dtype: str
    dims: tuple[Dimension, ...] | None


def clean(dimension: Dimension) -> Dimension:
    """A size, a name, or None where the file gives a placeholder instead."""
    if isinstance(dimension, int):
        return dimension if dimension > 0 else None
    if dimension is None or dimension.strip() in ("", "?", "-1", "None", "none", "unknown") or "unk__" in dimension:
        return None
    return dimension


def name_inputs(raw: Sequence[Raw]) -> tuple[TensorSpec, ...]:
    """Inputs with every dimension a size or a name; the batch is called `batch` wherever it stands."""
    cleaned = [replace(each, dims=tuple(clean(d) for d in each.dims or ())) for each in raw]
    aliases = batch_names(cleaned)
    named = []
    for each in cleaned:
        shape: list[int | str] = []
        for index, dimension in enumerate(each.dims or ()):
            if isinstance(dimension, str):
                shape.append(BATCH if dimension in aliases else dimension)
            elif dimension is None:
                shape.append(name_of(each, index))
            else:
                shape.append(dimension)
        named.append(TensorSpec(each.name, each.dtype, tuple(shape)))
    return tuple(named)


def batch_names(inputs: Sequence[Raw]) -> set[str]:
    """The declared names that stand for the batch: those that say so, and those that lead every input."""
    leading = [each.dims[0] for each in inputs if each.dims and isinstance(each.dims[0], str)]
    said = {d for each in inputs for d in each.dims or () if isinstance(d, str) and SAYS_BATCH.search(d)}
    if said:
        return said
    return {each for each in leading if not NOT_A_BATCH.search(each)}


def name_of(tensor: Raw, index: int) -> str:
    """A name for a dimension that has none, from its place."""
    dims = tensor.dims or ()
    if index == 0:
        return BATCH
    if len(dims) == 4:
        channels_last = dims[3] in IMAGE_CHANNELS and dims[1] not in IMAGE_CHANNELS
        axis = index if channels_last else index - 1
        if 1 <= axis <= 2:
            return ("height", "width")[axis - 1]
    if len(dims) in (2, 3) and index == 1 and (tensor.dtype.startswith(("int", "uint")) or len(dims) == 3):
        return "sequence"
    plain = re.sub(r"\W+", "_", tensor.name).strip("_") or "input"
    return f"{plain}_dim{index}"


def default_sizes(inputs: Sequence[TensorSpec]) -> dict[str, int]:
    """A first guess for every dynamic dimension but the batch."""
    sizes: dict[str, int] = {}
    for each in inputs:
        for index, dimension in enumerate(each.shape):
            if isinstance(dimension, str) and dimension != BATCH:
                sizes.setdefault(dimension, size_at(each.shape, index))
    return sizes


def size_at(shape: Sequence[int | str], index: int) -> int:
    """The usual size of one dimension, by its name and by its place in a picture or a film."""
    size = default_size(str(shape[index]))
    if len(shape) == 5:
        return FRAME if index > 2 else CLIP
    if len(shape) == 4 and shape[1] in IMAGE_CHANNELS and index > 1 and size == UNKNOWN:
        return PICTURE
    return size


def default_size(name: str) -> int:
    """The usual size of a dimension that is called so."""
    lowered = name.lower()
    if lowered in DEFAULTS:
        return DEFAULTS[lowered]
    if re.search(r"height|width|^h$|^w$", lowered):
        return PICTURE
    if re.search(r"sample|audio|wave", lowered):
        return 16000
    if re.search(r"past", lowered):
        return 16
    if re.search(r"seq|len|token|time|step|frame", lowered):
        return 128
    return UNKNOWN
