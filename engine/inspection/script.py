"""Inspect a TorchScript file: its graph, and runs on inputs found by trying."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.artifact import Artifact
from engine.catalog.base import BATCH
from engine.inspection.dimensions import default_sizes
from engine.inspection.drawing import drawn
from engine.inspection.facts import assemble
from engine.inspection.module import module_run
from engine.inspection.observe import Observation, Run, ask, observe
from engine.inspection.script_flow import control_flow, nodes
from engine.inspection.script_graph import script_graph
from engine.inspection.script_inputs import require_forward, script_candidates
from engine.spec import ModelSpec, TensorSpec

PLUMBING: tuple[str, ...] = (
    "prim::Constant",
    "prim::GetAttr",
    "prim::SetAttr",
    "prim::ListConstruct",
    "prim::TupleConstruct",
)
PLUMBING += ("prim::TupleUnpack", "prim::ListUnpack", "prim::NumToTensor", "prim::CallMethod", "prim::CallFunction")
MANY_LAYERS, MANY_SEARCHES, FEW_SEARCHES, TOTAL_S = 3000, 8, 2, 40.0


def inspect_script(artifact: Artifact, progress: Any) -> ModelSpec:
    """Say what a TorchScript artifact is; inputs and their shapes are guesses unless they were given."""
    import torch

    from engine.formats.torchscript import load

    progress(0.2, "Reading the graph")
    module = load(artifact.path)
    require_forward(module)
    graph = module.inlined_graph
    operators = Counter(each.kind().removeprefix("aten::") for each in nodes(graph) if each.kind() not in PLUMBING)
    parameters = sum(each.numel() for each in module.parameters()) or constants(module, graph)
    branches, rows = control_flow(graph), layers(module, graph)  # read before running, which rewrites the graph
    picture, notes = drawn(lambda: script_graph(module))
    given = artifact.details.get("given", {})
    progress(0.4, "Looking for inputs it takes")
    with torch.jit.optimized_execution(False):  # type: ignore[attr-defined]  # each new shape would be compiled otherwise
        seen = find_inputs(module, graph, artifact.path, given)
    guessed = [f"input {each.name}" for each in seen.inputs if each.name not in given.get("shapes", {})]
    if seen.error:
        seen = replace(seen, notes=(*seen.notes, did_not_run(seen.error, given)))
    return assemble(
        artifact,
        seen,
        guessed=guessed,
        parameters=parameters,
        operators=dict(operators.most_common()),
        control_flow=branches,
        state="hidden" if seen.remembers else "none",
        layers=rows,
        graph=picture,
        notes=notes,
    )


def did_not_run(error: str, given: Any) -> str:
    """What to read where no input worked: why, and who can help."""
    tried = "with the shapes that were given" if given.get("shapes") else "on any input that was tried"
    return (
        f"It did not run {tried}: {error} Give the shapes of all its inputs: "
        "in the dashboard on the Models page, on the command line with --shape NAME=1x3x224x224."
    )


def find_inputs(module: Any, graph: Any, path: Path, given: Any) -> Observation:
    """The first of the likely inputs that the script takes, or the likeliest with what went wrong.

    All are tried at their usual sizes before sizes are searched, and at batch 2 before batch 1; one
    whose outputs follow the batch is preferred. After TOTAL_S seconds no further one is tried.
    """
    until = time.monotonic() + TOTAL_S
    likely = list(script_candidates(module, graph, given))
    runs = [patient_run(module, path, inputs) for inputs in likely]
    mixed: Observation | None = None
    for inputs, run in zip(likely, runs, strict=True):
        if time.monotonic() > until:
            break
        if not ask(run, Observation(inputs, default_sizes(inputs)), 2).error:
            seen = observe(run, inputs, default_sizes(inputs))
            if keeps_batch(seen):
                return seen
            mixed = mixed or seen
    first: Observation | None = None
    for batch in (2,) if mixed else (2, 1):
        for inputs, run in zip(likely[: FEW_SEARCHES if mixed else MANY_SEARCHES], runs, strict=False):
            if first and time.monotonic() > until:
                break
            seen = observe(run, inputs, default_sizes(inputs), batches=(batch,))
            if not seen.error and (keeps_batch(seen) or not mixed):
                return seen
            first = first or seen
    return mixed or first or Observation((), {}, error="it takes no inputs.")


def keeps_batch(seen: Observation) -> bool:
    """Whether an output follows the batch; where none does, samples of another shape were mixed up by a reshape."""
    batched = any(BATCH in each.shape for each in seen.inputs)
    return not batched or any(BATCH in each.shape for each in seen.outputs)


def patient_run(module: Any, path: Path, inputs: tuple[TensorSpec, ...]) -> Run:
    """A function that runs a script; a failure after a success is tried again on a fresh load.

    Scripts with hidden state may refuse another batch size than the one before.
    """
    from engine.formats.torchscript import load

    run = module_run(module, inputs)
    worked = False

    def patient(feeds: dict[str, Any]) -> list[np.ndarray]:
        nonlocal run, worked
        try:
            outputs = run(feeds)
        except Exception:
            if not worked:
                raise
            run, worked = module_run(load(path), inputs), False
            outputs = run(feeds)
        worked = True
        return outputs

    return patient


def constants(module: Any, graph: Any) -> int:
    """How many numbers a frozen script holds in its graph, and in attributes that are no parameters."""
    import torch

    held: dict[int, Any] = {}
    for node in nodes(graph):
        if node.kind() == "prim::Constant" and node.hasAttribute("value") and node.kindOf("value") == "t":
            tensor = node.t("value")
            held[tensor.data_ptr()] = tensor
    for tensor in module.buffers():
        held[tensor.data_ptr()] = tensor
    weights = [each for each in held.values() if isinstance(each, torch.Tensor) and each.dim() > 0]
    return sum(each.numel() for each in weights if each.dtype not in (torch.int64, torch.bool))


def layers(module: Any, graph: Any) -> tuple[tuple[str, str, int], ...]:
    """A row for each submodule with weights or without children; of a frozen script, for each operator."""
    rows = list(submodules(module))
    if len(rows) <= 1:
        rows = [
            (each.output().debugName(), each.kind().removeprefix("aten::"), constants_of(each))
            for each in nodes(graph)
            if each.kind() not in PLUMBING and each.outputsSize() == 1
        ]
    return tuple(rows[:MANY_LAYERS])


def submodules(module: Any) -> Iterator[tuple[str, str, int]]:
    """Name, original class and own parameters of every submodule that has some, or has no children."""
    for name, each in module.named_modules():
        own = sum(p.numel() for p in each.parameters(recurse=False))
        if own or not any(True for _ in each.children()):
            kind = getattr(each, "original_name", type(each).__name__)
            yield name or kind, kind, own


def constants_of(node: Any) -> int:
    """How many numbers an operator of a frozen script reads from constants."""
    total = 0
    for value in node.inputs():
        source = value.node()
        if source.kind() == "prim::Constant" and source.hasAttribute("value") and source.kindOf("value") == "t":
            total += int(source.t("value").numel())
    return total
