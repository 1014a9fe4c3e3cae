"""From the columns of a table to arrays for a model's inputs."""

from __future__ import annotations

from math import prod

import numpy as np

from engine.data.raw import RawData
from engine.errors import BadInput
from engine.spec import ModelSpec

TEXT_NAMES = ("text", "sentence", "review", "content", "comment", "question", "title")


def text_column(raw: RawData, columns: dict[str, str]) -> list[str]:
    """The sentences of the text column; raises BadInput naming the candidates."""
    texts = [name for name, values in raw.columns.items() if values.dtype == object]
    wanted = columns.get("text", "")
    if wanted and wanted not in raw.columns:
        raise BadInput(f"{raw.name} has no column {wanted!r}.", f"Its columns: {', '.join(raw.columns)}.")
    known = [each for each in texts if each.lower() in TEXT_NAMES]
    name = wanted or (texts[0] if len(texts) == 1 else known[0] if known else "")
    if not name:
        found = ", ".join(texts) or "none"
        raise BadInput(f"Which column of {raw.name} holds the text is not clear.", f"Name one; text columns: {found}.")
    values = raw.columns[name]
    if values.dtype != object:
        raise BadInput(f"Column {name} of {raw.name} holds no text.", f"Text columns: {', '.join(texts) or 'none'}.")
    missing = sum(not isinstance(each, str) for each in values)
    if missing:
        raise BadInput(f"{missing} rows of {raw.name} have no {name}.", "Fill them in or remove these rows.")
    return [str(each) for each in values]


def numeric_arrays(raw: RawData, spec: ModelSpec, columns: dict[str, str]) -> tuple[dict[str, np.ndarray], list[str]]:
    """Columns as arrays: one for each input when they have the inputs' names, else all in one.

    Whole numbers from 0 to 255 for an image model are taken as pixels, with a note.
    """
    texts = [name for name, values in raw.columns.items() if values.dtype.kind not in "biuf"]
    names = [columns.get(each.name, each.name) for each in spec.tensor_inputs]
    if all(name in raw.columns and name not in texts for name in names):
        return {name: raw.columns[name] for name in names}, []
    if texts:
        raise BadInput(
            f"Columns of {raw.name} are not numbers: {', '.join(texts[:5])}.",
            "Choose the label column, encode the others as numbers, or remove them.",
        )
    if len(names) != 1:
        raise BadInput(
            f"The model takes {', '.join(names)}, and {raw.name} has no columns of these names.",
            "Give the inputs as a .npz file.",
        )
    table = np.stack([values.astype(np.float64) for values in raw.columns.values()], axis=1)
    tensor = spec.tensor_inputs[0]
    width = prod(each if isinstance(each, int) else spec.sizes.get(each, 0) for each in tensor.shape[1:])
    if raw.labels is None and len(raw.columns) == width + 1:
        raise BadInput(
            f"{raw.name} has {len(raw.columns)} columns and the model takes {width}: none is known to be the label.",
            "Name the column with the label 'label'.",
        )
    image = len(tensor.shape) in (3, 4) and tensor.dtype.startswith("float")
    whole = all(values.dtype.kind in "iu" for values in raw.columns.values())
    if image and whole and 100 < table.max() <= 255 and table.min() >= 0:
        shape = [each if isinstance(each, int) else spec.sizes.get(each, 0) for each in tensor.shape]
        if shape[-2] * shape[-1] == table.shape[1]:
            pixels = table.reshape(len(table), shape[-2], shape[-1]).astype(np.uint8)
            return {names[0]: pixels}, ["The columns hold whole numbers up to 255 and were taken as pixels."]
    return {names[0]: table}, []
