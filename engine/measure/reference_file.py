"""Write and read `reference.npz`: the inputs and outputs of the reference at every batch size.

Keys: `<batch>:in:<name>` and `<batch>:out:<i>`, all calls concatenated along axis 0 (flattened
where their shapes don't fit), and `<batch>:shape:...` with the shape of every call.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import BadInput
from engine.measure.outputs import joined
from engine.measure.sequence import Feeds, Outputs
from engine.spec import ModelSpec

ARRAYS, FACTS = "reference.npz", "facts.json"
PREDICTIONS = "test:top1"


def batch_arrays(batch_size: int, feeds: Sequence[Feeds], outputs: Outputs) -> dict[str, np.ndarray]:
    """What is kept for one batch size, by key."""
    arrays: dict[str, np.ndarray] = {}
    columns = {
        f"in:{name}": [each[name] for each in feeds]
        for name, value in feeds[0].items()
        if isinstance(value, np.ndarray)
    }
    columns |= {f"out:{index}": list(calls) for index, calls in enumerate(outputs.calls)}
    for key, calls in columns.items():
        arrays[f"{batch_size}:{key}"] = joined(calls)
        ranks = max(each.ndim for each in calls)
        shapes = [(*each.shape, *[-1] * (ranks - each.ndim)) for each in calls]
        arrays[f"{batch_size}:shape:{key}"] = np.array(shapes, dtype=np.int64).reshape(len(calls), ranks)
    return arrays


def write(folder: Path, arrays: dict[str, np.ndarray], facts: dict[str, Any]) -> None:
    """Write both files; the facts last, so that a half-written folder has none."""
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / ARRAYS, **arrays)  # type: ignore[arg-type]
    partial = folder / f"{FACTS}.partial"
    partial.write_text(json.dumps(facts, indent=1))
    partial.replace(folder / FACTS)


def read_facts(folder: Path) -> dict[str, Any]:
    """What the reference phase found out; raises BadInput when it has not finished."""
    if not (folder / FACTS).exists():
        raise BadInput(f"{folder} holds no reference.", "Run the comparison again: its reference was interrupted.")
    facts: dict[str, Any] = json.loads((folder / FACTS).read_text())
    return facts


def read_batch(folder: Path, spec: ModelSpec, batch_size: int) -> tuple[list[Feeds], Outputs]:
    """The feeds and outputs of every call at one batch size; raises BadInput when there are none."""
    with np.load(folder / ARRAYS, allow_pickle=False) as stored:
        inputs = {each.name: split(stored, f"{batch_size}:", f"in:{each.name}") for each in spec.tensor_inputs}
        count = sum(key.startswith(f"{batch_size}:out:") for key in stored.files)
        outputs = tuple(tuple(split(stored, f"{batch_size}:", f"out:{index}")) for index in range(count))
    constants = {each.name: each.constant for each in spec.inputs if each.constant is not None}
    calls = len(next(iter(inputs.values())))
    feeds = [{**{name: arrays[k] for name, arrays in inputs.items()}, **constants} for k in range(calls)]
    return feeds, Outputs(outputs)


def read_predictions(folder: Path) -> np.ndarray | None:
    """The reference's class for every test sample, where there is a data set and a class output."""
    with np.load(folder / ARRAYS, allow_pickle=False) as stored:
        return stored[PREDICTIONS] if PREDICTIONS in stored.files else None


def split(stored: Any, prefix: str, key: str) -> list[np.ndarray]:
    """The calls of one input or output, each in its own shape."""
    if f"{prefix}{key}" not in stored.files:
        raise BadInput(
            f"The reference has nothing for batch size {prefix.rstrip(':')} ({key}).",
            "Run the comparison again with this batch size.",
        )
    flat = stored[f"{prefix}{key}"].ravel()
    calls = []
    start = 0
    for row in stored[f"{prefix}shape:{key}"]:
        shape = tuple(int(size) for size in row if size >= 0)
        size = int(np.prod(shape))
        calls.append(flat[start : start + size].reshape(shape))
        start += size
    return calls
