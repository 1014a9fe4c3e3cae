"""Read a `.npz` of arrays: inputs by name or `x`, labels `y`, or train and test pairs of both."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from engine.data.archive import check_archive
from engine.data.raw import RawData
from engine.errors import BadInput

LABELS = ("labels", "label", "y", "targets", "target", "classes")
SPLIT_WORDS = {"train": "train", "test": "test", "val": "validation", "valid": "validation", "validation": "validation"}
NEXT = "Save it with numpy.savez(path, x=inputs, y=labels)."


def read(path: Path, columns: dict[str, str]) -> RawData:
    """Read inputs, labels and splits; raises BadInput when the arrays make no data set."""
    arrays, labels, split = join_splits(load(path))
    wanted = columns.get("label", "")
    if wanted and wanted not in arrays:
        raise BadInput(f"{path.name} has no array {wanted!r}.", f"Its arrays: {', '.join(arrays)}.")
    key = wanted or next((each for each in LABELS if each in arrays), "")
    if key:
        labels = flat_labels(path, key, arrays.pop(key))
    if not arrays:
        raise BadInput(f"{path.name} holds no inputs.", NEXT)
    count = len(next(iter(arrays.values())))
    for name, array in {**arrays, **({"labels": labels} if labels is not None else {})}.items():
        if len(array) != count:
            raise BadInput(f"{path.name} has {count} inputs and {len(array)} {name}.", "Give one for each sample.")
    if not count:
        raise BadInput(f"{path.name} holds no samples.", NEXT)
    return RawData(path.stem, count, arrays=arrays, labels=labels, split=split)


def load(path: Path) -> dict[str, np.ndarray]:
    """Every array of the file by name. Pickled objects inside are refused."""
    try:
        check_archive(path)
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except ValueError as error:
        if "pickle" in str(error).lower():
            raise BadInput(
                f"{path.name} holds Python objects, which are not opened.", f"Save plain arrays. {NEXT}"
            ) from error
        raise BadInput(f"{path.name} is not a readable .npz file: {error}.", NEXT) from error
    except (OSError, zipfile.BadZipFile, EOFError, KeyError) as error:
        raise BadInput(f"{path.name} is not a readable .npz file: {error}.", NEXT) from error
    for name, array in arrays.items():
        if array.ndim == 0:
            raise BadInput(f"Array {name!r} of {path.name} is a single value.", "Give one entry for each sample.")
    return arrays


def join_splits(
    arrays: dict[str, np.ndarray],
) -> tuple[dict[str, np.ndarray], np.ndarray | None, np.ndarray | None]:
    """Join `x_train`, `x_test` and so on into one array each, and remember which part was which.

    A `split` array is taken as it is.
    """
    if "split" in arrays:
        own = arrays.pop("split").astype(str)
        return arrays, None, np.array([SPLIT_WORDS.get(each.lower(), each.lower()) for each in own.tolist()])
    parts: dict[str, dict[str, np.ndarray]] = {}
    for name, array in arrays.items():
        base, part = split_name(name)
        parts.setdefault(base, {})[part] = array
    found = sorted({part for each in parts.values() for part in each})
    if found == [""] or any(sorted(each) != found for each in parts.values()):
        return arrays, None, None
    joined = {base: np.concatenate([each[part] for part in found]) for base, each in parts.items()}
    lengths = [len(next(iter(parts.values()))[part]) for part in found]
    return joined, None, np.repeat(np.array(found), lengths)


def split_name(name: str) -> tuple[str, str]:
    """`x_train` and `train_x` are part `train` of `x`."""
    for word, part in SPLIT_WORDS.items():
        if name.endswith(f"_{word}"):
            return name.removesuffix(f"_{word}"), part
        if name.startswith(f"{word}_"):
            return name.removeprefix(f"{word}_"), part
    return name, ""


def flat_labels(path: Path, key: str, labels: np.ndarray) -> np.ndarray:
    """Labels as one value a sample: (n,), (n, 1), or one-hot (n, classes)."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        return labels[:, 0]
    if labels.ndim == 2 and np.isin(labels, (0, 1)).all() and (labels.sum(1) == 1).all():
        return np.asarray(labels.argmax(1))
    if labels.ndim != 1:
        raise BadInput(f"{key} of {path.name} has the shape {labels.shape}.", "Give one class number for each sample.")
    return labels
