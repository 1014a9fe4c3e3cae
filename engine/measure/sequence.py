"""Run a session over a list of calls and keep every call's outputs, with state fed back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.errors import BadInput, Unsupported
from engine.runtimes.base import Session
from engine.spec import ModelSpec

Feeds = dict[str, Any]


@dataclass(frozen=True)
class Outputs:
    """`calls[i][k]` is output `i` of call `k`."""

    calls: tuple[tuple[np.ndarray, ...], ...]

    @property
    def first(self) -> list[np.ndarray]:
        """All outputs of the first call."""
        return [each[0] for each in self.calls]


def drive(session: Session, spec: ModelSpec, sequence: Sequence[Mapping[str, Any]]) -> tuple[Outputs, list[Feeds]]:
    """Run every call in order; returns the outputs and the feeds that were really used.

    With explicit state, what an output gave is fed to its input at the next call. Raises BadInput
    when there are no outputs or their number changes.
    """
    names = [each.name for each in spec.outputs]
    carried: Feeds = {}
    collected: list[list[np.ndarray]] = []
    used: list[Feeds] = []
    for feeds in sequence:
        current = {**feeds, **carried}
        session.bind(current)
        session.run()
        session.synchronize()
        outputs = [copied(each) for each in session.fetch()]
        if not outputs:
            raise BadInput("The model returns no tensor.", "Export it so that it returns its results as tensors.")
        if collected and len(outputs) != len(collected[0]):
            raise BadInput(
                f"The model gave {len(outputs)} outputs after {len(collected[0])} in the call before.",
                "Export it so that it always returns the same outputs.",
            )
        carried = {into: outputs[names.index(out)] for out, into in spec.state_pairs if out in names[: len(outputs)]}
        collected.append(outputs)
        used.append(current)
    return Outputs(tuple(zip(*collected, strict=True))), used


def copied(output: np.ndarray) -> np.ndarray:
    """An output of its own, since sessions reuse their buffers; labels become fixed-width text."""
    return np.asarray(output, dtype=np.str_) if output.dtype.kind == "O" else np.array(output)


def call_size(spec: ModelSpec, batch_size: int) -> int:
    """How many samples one call holds at a batch size; one where the leading dimension is no batch.

    Raises Unsupported when the model's batch is fixed to another size.
    """
    fixed = spec.fixed_batch
    if fixed is None:
        return batch_size
    if batch_size != fixed:
        raise Unsupported(
            f"The model has a fixed batch of {fixed}, so it can't run at batch size {batch_size}.",
            f"Choose batch size {fixed}, or export the model with a dynamic batch.",
        )
    return fixed


def output_names(spec: ModelSpec, count: int) -> list[str]:
    """A name for each output, those inspection found first."""
    known = [each.name for each in spec.outputs][:count]
    return known + [f"output {index}" for index in range(len(known), count)]
