"""Count the arithmetic, weights, inputs and outputs of a model: what the roofline needs."""

from __future__ import annotations

import math
from typing import Any

from engine.analysis.roofline import Work
from engine.artifact import Artifact
from engine.errors import Unsupported
from engine.feeds import numpy_dtype
from engine.spec import ModelSpec

COUNTED_AT = 2


def count(artifact: Artifact, spec: ModelSpec) -> Work | None:
    """The work of one sample, or None for a format or a model whose operations can't be counted.

    An artifact that carries `work` in its details (an engine, made from a graph that was counted)
    is taken at its word.
    """
    stored = artifact.details.get("work")
    if stored:
        return Work(**{name: float(stored[name]) for name in ("flops", "weights", "io_bytes")})
    batch_size = int(artifact.details.get("batch_size") or (COUNTED_AT if spec.batch_dimension else 1))
    if artifact.format == "onnx":
        from engine.formats import onnx
        from engine.profiling.onnx_operations import count_graph

        flops, weights = count_graph(onnx.load(artifact.path), graph_shapes(artifact, spec, batch_size))
    elif artifact.format in ("torch-module", "exported-program"):
        from engine.profiling.module_operations import count_module

        flops, weights = count_module(artifact, spec, batch_size)
    else:
        return None
    if not flops:
        return None
    return Work(flops / samples(spec, batch_size), weights, io_bytes(spec, batch_size))


def graph_shapes(artifact: Artifact, spec: ModelSpec, batch_size: int) -> dict[str, tuple[int, ...]]:
    """The shape of each input under the graph's own name."""
    names = list(artifact.details.get("input_names") or ()) or [each.name for each in spec.inputs]
    sizes = spec.sizes_at(batch_size)
    return {name: each.concrete(sizes) for name, each in zip(names, spec.inputs, strict=False)}


def samples(spec: ModelSpec, batch_size: int) -> int:
    """How many samples one inference has: of a model with a fixed batch, that batch."""
    if spec.batch_dimension:
        return batch_size
    state = {name for _, name in spec.state_pairs}
    leads = [each.shape[0] for each in spec.tensor_inputs if len(each.shape) >= 2 and each.name not in state]
    return leads[0] if leads and isinstance(leads[0], int) else 1


def io_bytes(spec: ModelSpec, batch_size: int) -> float:
    """Bytes of inputs and outputs of one sample, as far as output shapes are known."""
    sizes = spec.sizes_at(batch_size)
    total = 0
    for each in (*spec.tensor_inputs, *spec.outputs):
        if all(isinstance(size, int) or size in sizes for size in each.shape):
            total += math.prod(each.concrete(sizes)) * numpy_dtype(each.dtype).itemsize
    return total / samples(spec, batch_size)


def work_details(artifact: Artifact, spec: ModelSpec) -> dict[str, Any]:
    """What a step that makes an opaque file notes in its details, so that the file can be counted later."""
    try:
        work = count(artifact, spec)
    except Unsupported as error:
        print(f"Not counted: {error}", flush=True)
        return {}
    return {} if work is None else {"work": {"flops": work.flops, "weights": work.weights, "io_bytes": work.io_bytes}}
