"""The prepare phase: a data set becomes the model's inputs, labels and splits, once."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from engine.artifact import read_manifest
from engine.data import columns, labels, matching, pixels, prepared, sources, splits, text
from engine.data.raw import RawData
from engine.errors import BadInput
from engine.spec import ModelSpec
from engine.worker.jobs import PrepareJob
from engine.worker.protocol import Reporter

FEED_BYTES = 2**30


def run(job: PrepareJob, report: Reporter) -> dict[str, Any]:
    """Prepare the data set and return the facts about it."""
    report(0.0, "Reading the data set")
    raw = sources.read(job.dataset, job.columns)
    raw, notes = limit(raw, job.spec, job.seed)
    report(0.2, f"Preparing {raw.count:,} samples")
    classes, more = labels.class_numbers(raw, job.spec)
    feeds, others = feeds_of(raw, job)
    indices = splits.split_indices(raw.split, classes, raw.count, job.seed)
    notes = [*raw.notes, *notes, *more, *others, *warnings(raw, classes, indices)]
    report(0.8, "Writing")
    facts: dict[str, Any] = {
        "samples": raw.count,
        "labelled": classes is not None,
        "classes": 0 if classes is None else len(set(classes.tolist()) - {splits.UNLABELLED}),
        "splits": {name: len(each) for name, each in indices.items()},
        "notes": notes,
    }
    made = prepared.Prepared(raw.name, fingerprint(feeds, classes, indices), feeds, classes, indices, facts)
    prepared.write(Path(job.folder), made)
    return {**facts, "digest": made.digest, "name": made.name}


def limit(raw: RawData, spec: ModelSpec, seed: int) -> tuple[RawData, list[str]]:
    """Take an even random part of a data set whose inputs would not fit in memory."""
    sizes = spec.sizes
    size = sum(
        4 * prod(each if isinstance(each, int) else sizes.get(each, 1) for each in tensor.shape[1:])
        for tensor in spec.tensor_inputs
    )
    most = max(1, FEED_BYTES // max(1, size))
    if raw.count <= most:
        return raw, []
    kept = np.sort(np.random.default_rng(seed).permutation(raw.count)[:most])
    note = f"{most:,} of {raw.count:,} samples are used: more inputs of this size would not fit in memory."
    return take(raw, kept), [note]


def take(raw: RawData, kept: np.ndarray) -> RawData:
    """The samples at `kept`."""
    images = raw.images
    return replace(
        raw,
        count=len(kept),
        arrays={name: each[kept] for name, each in raw.arrays.items()},
        columns={name: each[kept] for name, each in raw.columns.items()},
        images=None if images is None else images.take(kept),
        labels=None if raw.labels is None else raw.labels[kept],
        split=None if raw.split is None else raw.split[kept],
    )


def feeds_of(raw: RawData, job: PrepareJob) -> tuple[dict[str, np.ndarray], list[str]]:
    """The model's inputs, by what kind of data set it is."""
    matching.require_batch_in_front(job.spec)
    everything = np.arange(raw.count)
    if raw.images is not None:
        return {pixels.image_input(job.spec).name: pixels.from_files(raw, everything, job.spec)}, []
    if raw.columns:
        if takes_text(raw, job.spec):
            sentences = columns.text_column(raw, job.columns)
            prepared.write_texts(Path(job.folder), sentences)
            return text.encode(sentences, job.spec, text.tokenizer_path(job.spec, folders(job.model))), []
        arrays, notes = columns.numeric_arrays(raw, job.spec, job.columns)
        feeds, more = matching.feeds_from_arrays(raw, arrays, everything, job.spec, job.columns)
        return feeds, [*notes, *more]
    return matching.feeds_from_arrays(raw, raw.arrays, everything, job.spec, job.columns)


def takes_text(raw: RawData, spec: ModelSpec) -> bool:
    """Whether sentences of a table go through the model's tokenizer."""
    return text.takes_tokens(spec) and not all(each.name in raw.columns for each in spec.tensor_inputs)


def folders(model: str) -> list[Path]:
    """Where the model's files may lie: its folder, and the artifact inside it."""
    folder = Path(model)
    path = read_manifest(folder).path
    return [folder, path if path.is_dir() else path.parent]


def warnings(raw: RawData, classes: np.ndarray | None, indices: dict[str, np.ndarray]) -> list[str]:
    """What the user should know about the size of the data set and its splits."""
    notes = []
    if not len(indices["test"]):
        raise BadInput(f"{raw.name} has no test samples.", "Mark some with split = test, or leave the split out.")
    if classes is not None and (classes[indices["test"]] == splits.UNLABELLED).any():
        raise BadInput(f"Test samples of {raw.name} have no label (-1).", "Mark them as split = train.")
    if raw.split is not None:
        strange = sorted(set(raw.split.tolist()) - set(splits.SPLITS))
        if strange:
            notes.append(f"Samples in other splits are not used: {', '.join(strange)}.")
    if not len(indices["train"]):
        notes.append("All samples are for testing: techniques that train or calibrate need a larger data set.")
    if len(indices["test"]) < 32:
        notes.append(f"Only {len(indices['test'])} test samples: the accuracy is a rough figure.")
    if classes is None:
        notes.append("No labels are used: agreement with the original is measured instead of accuracy.")
    return notes


def fingerprint(feeds: dict[str, np.ndarray], classes: np.ndarray | None, indices: dict[str, np.ndarray]) -> str:
    """The SHA-256 of everything a later phase can read."""
    digest = hashlib.sha256()
    for name, array in sorted({**feeds, **indices, **({} if classes is None else {"labels": classes})}.items()):
        digest.update(f"{name} {array.dtype} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
