"""Calibration data for ONNX quantizers: batches under the graph's own input names."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine.artifact import Artifact
from engine.errors import BadInput
from engine.runtimes.tensorrt_tensors import specs_by_input
from engine.spec import ModelSpec
from engine.steps.base import Samples

BATCH_SIZE = 8
FEWEST_SAMPLES = 8


class CalibrationBatches:
    """What ONNX Runtime's and ModelOpt's calibrators read from: one batch after the other.

    `set_range` limits it to a part, so that a calibrator which keeps activations can be fed batch by
    batch and memory stays bounded.
    """

    def __init__(self, batches: Sequence[Mapping[str, np.ndarray]]) -> None:
        self.batches = list(batches)
        self.rewind()

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Mapping[str, np.ndarray]]:
        return iter(self.batches)

    def set_range(self, start_index: int, end_index: int) -> None:
        """Go on with the batches from `start_index` to before `end_index`."""
        self.waiting = iter(self.batches[start_index:end_index])

    def rewind(self) -> None:
        """Start again with all of them."""
        self.waiting = iter(self.batches)

    def get_next(self) -> Mapping[str, np.ndarray] | None:
        return next(self.waiting, None)

    def get_first(self) -> Mapping[str, np.ndarray]:
        return self.batches[0]


def calibration_batches(
    graph: Any, source: Artifact, spec: ModelSpec, samples: Samples, wanted: int
) -> CalibrationBatches:
    """At most `wanted` samples in batches that the graph takes; raises BadInput when there are too few."""
    inputs = {each.name: each for each in graph_inputs(graph)}
    specs = specs_by_input(list(inputs), spec, source.details)
    size = fixed_batch(inputs, specs) or min(BATCH_SIZE, len(samples))
    count = min(wanted, len(samples)) // size * size
    if count < min(FEWEST_SAMPLES, wanted) or not count:
        raise BadInput(
            f"Calibration needs at least {max(FEWEST_SAMPLES, size)} samples; the data set {samples.name} has "
            f"{len(samples)} for it.",
            "Choose a larger data set.",
        )
    return CalibrationBatches(
        [
            {
                name: batch_of(samples, tensor.name, start, size)
                if tensor.constant is None
                else np.array(tensor.constant)
                for name, tensor in specs.items()
            }
            for start in range(0, count, size)
        ]
    )


def batch_of(samples: Samples, name: str, start: int, size: int) -> np.ndarray:
    """One batch of one input."""
    if name not in samples.feeds:
        raise BadInput(
            f"The data set {samples.name} has no values for the input {name}.",
            f"It has {', '.join(samples.feeds)}.",
        )
    return np.ascontiguousarray(samples.feeds[name][start : start + size])


def graph_inputs(graph: Any) -> list[Any]:
    """The inputs of an ONNX graph that are not weights."""
    weights = {each.name for each in graph.initializer}
    return [each for each in graph.input if each.name not in weights]


def fixed_batch(inputs: Mapping[str, Any], specs: Mapping[str, Any]) -> int | None:
    """The batch size that a graph fixes, or None when it takes any."""
    for name, value in inputs.items():
        dimensions = value.type.tensor_type.shape.dim
        if specs[name].constant is None and len(dimensions) and dimensions[0].HasField("dim_value"):
            return int(dimensions[0].dim_value)
    return None


def require_fp32(source: Artifact, name: str) -> None:
    """Raise BadInput when a graph has been narrowed before it is quantized."""
    if source.precision != "fp32":
        raise BadInput(
            f"{name} starts from an FP32 graph and this one is {source.precision.upper()}.",
            f"Put {name} before the step that narrows the rest, or leave that step out.",
        )


def excluded_nodes(model: Any, patterns: str) -> list[str]:
    """The nodes that comma-separated names or patterns mean; raises BadInput for one that means none."""
    names = [each.name for each in model.graph.node]
    found: list[str] = []
    for pattern in (each.strip() for each in patterns.split(",") if each.strip()):
        matches = [each for each in names if fnmatch.fnmatchcase(each, pattern)]
        if not matches:
            raise BadInput(
                f"No node of the ONNX graph is called {pattern!r}.",
                f"Its first nodes: {', '.join(each for each in names[:8] if each)}. `*` stands for anything.",
            )
        found.extend(matches)
    return found


def needs_external_data(path: Path) -> bool:
    """Whether a graph's weights lie beside it or it is too large for one file."""
    siblings = [each for each in path.parent.iterdir() if each.is_file()] if path.parent.name == "model" else [path]
    return sum(each.stat().st_size for each in siblings) > 1_900_000_000
