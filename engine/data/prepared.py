"""Read and write a prepared data set: a model's inputs as arrays, labels and splits. NumPy only."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from engine.data.splits import SPLITS
from engine.errors import BadInput

SAMPLES, FACTS, TEXTS = "samples.npz", "facts.json", "texts.json"


@dataclass(frozen=True)
class Prepared:
    """Samples ready for one model: `feeds` by input name, `labels` of int64 or None.

    `facts` is what the prepare phase reported. A split of it has the same fields.
    """

    name: str
    digest: str
    feeds: Mapping[str, np.ndarray]
    labels: np.ndarray | None
    splits: Mapping[str, np.ndarray] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(next(iter(self.feeds.values()))) if self.feeds else 0

    def split(self, name: str) -> Prepared:
        """The samples of one split: test, train, validation or calibration.

        Raises BadInput when it is empty.
        """
        chosen = self.splits.get(name, np.array([], dtype=np.int64))
        if not len(chosen):
            raise BadInput(
                f"The data set {self.name} has {len(self)} samples and none of them is for {name}.",
                "Choose a data set with at least 10 samples, or one that has a split of that name.",
            )
        return self.take(chosen)

    def take(self, indices: np.ndarray) -> Prepared:
        """The samples at `indices`, in that order."""
        labels = None if self.labels is None else self.labels[indices]
        feeds = {name: array[indices] for name, array in self.feeds.items()}
        return Prepared(self.name, self.digest, feeds, labels, facts=self.facts)


def write(folder: Path, prepared: Prepared) -> None:
    """Write `samples.npz` and `facts.json`; the facts last, so that a half-written folder has none."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {f"feed:{name}": array for name, array in prepared.feeds.items()}
    arrays |= {f"split:{name}": array for name, array in prepared.splits.items()}
    if prepared.labels is not None:
        arrays["labels"] = prepared.labels
    np.savez(folder / SAMPLES, **arrays)
    facts = {**prepared.facts, "name": prepared.name, "digest": prepared.digest}
    partial = folder / f"{FACTS}.partial"
    partial.write_text(json.dumps(facts, indent=1))
    partial.replace(folder / FACTS)


def load(folder: Path | str) -> Prepared:
    """Read what the prepare phase wrote; raises BadInput when it is not there."""
    folder = Path(folder)
    if not (folder / FACTS).exists():
        raise BadInput(
            f"{folder} holds no prepared data set.", "Run the comparison again: preparing it was interrupted."
        )
    facts = json.loads((folder / FACTS).read_text())
    with np.load(folder / SAMPLES, allow_pickle=False) as stored:
        feeds = {key.removeprefix("feed:"): stored[key] for key in stored.files if key.startswith("feed:")}
        splits = {name: stored[f"split:{name}"] for name in SPLITS if f"split:{name}" in stored.files}
        labels = stored["labels"] if "labels" in stored.files else None
    return Prepared(facts["name"], facts["digest"], feeds, labels, splits, facts)


@dataclass(frozen=True)
class Glance:
    """What can be said of a prepared data set without loading its inputs.

    `test` holds the numbers of the test samples, `labels` the class of every sample or None, `texts`
    the sentences where the samples are text.
    """

    name: str
    test: np.ndarray
    labels: np.ndarray | None
    texts: tuple[str, ...]


def write_texts(folder: Path, texts: Sequence[str]) -> None:
    """Keep the sentences that the samples were made of, for people to read."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / TEXTS).write_text(json.dumps(list(texts), ensure_ascii=False))


def glance(folder: Path) -> Glance:
    """Look at a prepared data set; raises BadInput when it is not there."""
    if not (folder / FACTS).exists():
        raise BadInput(f"{folder} holds no prepared data set.", "Run the comparison again.")
    facts = json.loads((folder / FACTS).read_text())
    texts = json.loads((folder / TEXTS).read_text()) if (folder / TEXTS).exists() else ()
    with np.load(folder / SAMPLES, allow_pickle=False) as stored:
        labels = stored["labels"] if "labels" in stored.files else None
        test = stored["split:test"] if "split:test" in stored.files else np.array([], dtype=np.int64)
    return Glance(facts["name"], test, labels, tuple(texts))


def sample(folder: Path, index: int) -> dict[str, np.ndarray]:
    """One sample's inputs by name, each with a leading dimension of 1; the rest is skipped, not loaded.

    Raises BadInput when there is no such sample.
    """
    with zipfile.ZipFile(folder / SAMPLES) as archive:
        names = [each for each in archive.namelist() if each.startswith("feed:")]
        return {name.removeprefix("feed:").removesuffix(".npy"): row(archive, name, index) for name in names}


def row(archive: zipfile.ZipFile, member: str, index: int) -> np.ndarray:
    """One row of a stored array."""
    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(stream)
        if fortran or not 0 <= index < shape[0]:
            raise BadInput(f"The data set has no sample {index}.", f"Choose one from 0 to {shape[0] - 1}.")
        size = dtype.itemsize * int(np.prod(shape[1:]))
        stream.seek(index * size, 1)
        return np.frombuffer(stream.read(size), dtype).reshape(1, *shape[1:])
