"""Does a workload fit a model? Checked before anything is queued."""

from __future__ import annotations

from collections.abc import Sequence

from engine.errors import BadInput
from engine.spec import ModelSpec, Workload


def check(spec: ModelSpec, workload: Workload) -> ModelSpec:
    """The model with the workload's shapes filled in; raises BadInput when they don't fit it."""
    check_batch_sizes(spec, workload.batch_sizes)
    known = spec.with_shapes(workload.shapes)
    for each in known.tensor_inputs:
        each.concrete(known.sizes_at(workload.batch_sizes[0]))
    return known


def check_batch_sizes(spec: ModelSpec, batch_sizes: Sequence[int]) -> None:
    """Raise BadInput when a model can't be run at one of these batch sizes."""
    if not batch_sizes or any(each < 1 for each in batch_sizes):
        raise BadInput("Batch sizes are whole numbers from 1 on.", "For example 1,8.")
    if len(set(batch_sizes)) != len(batch_sizes):
        raise BadInput("A batch size is given twice.", "Name each one once.")
    fixed = spec.fixed_batch
    if fixed is not None and tuple(batch_sizes) != (fixed,):
        raise BadInput(f"The batch size of this model is fixed at {fixed}.", f"Use batch size {fixed} alone.")
