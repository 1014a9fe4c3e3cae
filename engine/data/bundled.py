"""The data sets that come with the product: `sample:digits` and `sample:movie_sentences`.

Their splits are fixed here, once, so that what a sample model was trained on is never tested on.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from engine.data.raw import RawData
from engine.data.splits import assign
from engine.errors import BadInput

PREFIX = "sample:"
SENTENCES = Path(__file__).resolve().parents[2] / "sample_models" / "movie_sentences" / "data"
SPLIT_SEED = 0


def digits() -> RawData:
    """1,797 handwritten digits, 1×8×8, floats from 0 to 1 (scikit-learn's copy of UCI's test set)."""
    from sklearn.datasets import load_digits

    found = load_digits()
    labels = found.target.astype(np.int64)
    return RawData(
        name="digits",
        count=len(labels),
        arrays={"pixels": (found.images / 16.0).astype(np.float32)[:, None]},
        labels=labels,
        split=assign(labels, len(labels), SPLIT_SEED, test=0.25, validation=0.15),
    )


def movie_sentences() -> RawData:
    """10,072 English sentences about films, each positive (1) or negative (0)."""
    labels: list[int] = []
    sentences: list[str] = []
    split: list[str] = []
    for part in ("train", "test"):
        for line in (SENTENCES / f"{part}.tsv").read_text(encoding="utf-8").splitlines():
            label, sentence = line.split("\t", 1)
            labels.append(int(label))
            sentences.append(sentence)
            split.append(part)
    names = np.array(split, dtype="<U10")
    classes = np.array(labels, dtype=np.int64)
    train = np.flatnonzero(names == "train")
    names[train] = assign(classes[train], len(train), SPLIT_SEED, test=0.0, validation=0.1)
    return RawData(
        name="movie_sentences",
        count=len(labels),
        columns={"sentence": np.array(sentences, dtype=object)},
        labels=classes,
        split=names,
    )


BUNDLED: dict[str, Callable[[], RawData]] = {"digits": digits, "movie_sentences": movie_sentences}


def read(reference: str) -> RawData:
    """Read a bundled data set by `sample:<name>`; raises BadInput on an unknown name."""
    name = reference.removeprefix(PREFIX)
    if name not in BUNDLED:
        raise BadInput(f"There is no bundled data set {name!r}.", f"Use one of sample:{', sample:'.join(BUNDLED)}.")
    return BUNDLED[name]()
