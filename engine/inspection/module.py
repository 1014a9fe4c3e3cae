"""Inspect a PyTorch module of the catalog: what its source knows, then a few runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from engine import catalog
from engine.artifact import Artifact
from engine.catalog.base import Description
from engine.conversion.data_dependence import lines_that_read_data
from engine.errors import BadInput
from engine.feeds import random_feeds
from engine.inspection.dimensions import default_sizes
from engine.inspection.drawing import drawn
from engine.inspection.facts import assemble
from engine.inspection.observe import Observation, Run, observe
from engine.spec import ModelSpec
from engine.torch_bridge import flatten, positional, to_numpy

if TYPE_CHECKING:
    from torch import nn

MANY_LAYERS = 3000


def inspect_module(artifact: Artifact, progress: Any) -> ModelSpec:
    """Say what a torch-module is. Raises BadInput when no input can be found that it takes."""
    from engine.formats import torch_module
    from engine.inspection.module_graph import module_graph

    progress(0.2, "Building the module")
    model = torch_module.read_model(artifact.path)
    module = torch_module.load(artifact.path)
    architecture, arguments = model["architecture"], model.get("arguments", {})
    known = catalog.describe(architecture, arguments, module)
    progress(0.5, "Running it")
    seen = observed(module, known)
    if seen.error:
        raise BadInput(
            f"{architecture} did not run on any input that was tried: {seen.error}",
            "Describe its inputs beside the architecture, as in the guide's chapter on architectures.",
        )
    trial = ModelSpec("", "", seen.inputs, (), sizes=seen.sizes)
    reads = lines_that_read_data(module, trial, random_feeds(trial, 2, 0))
    graph, notes = drawn(lambda: module_graph(module, replace(trial, outputs=seen.outputs)))
    if reads:
        notes = (f"Its path depends on its data: {', '.join(reads[:3])}.", *notes)
    facts: dict[str, Any] = {"control_flow": len(reads), "graph": graph, "notes": notes}
    if known.task:
        facts["task"] = known.task
    preprocessing = completed(known, seen)
    if known.inputs:
        facts["preprocessing"] = preprocessing
    return assemble(
        artifact,
        seen,
        guessed=known.guessed if known.inputs else [f"input {each.name}" for each in seen.inputs],
        architecture=architecture,
        parameters=parameter_count(module),
        operators=dict(Counter(type(each).__name__ for each in leaves(module)).most_common()),
        state="hidden" if seen.remembers else "none",
        layers=layers(module),
        **facts,
    )


def completed(known: Description, seen: Observation) -> Any:
    """The source's preprocessing with the scores' output."""
    from engine.inspection.guess import scores_output

    found = known.preprocessing
    if known.task == "classification" and not found.scores:
        found = replace(found, scores=scores_output(seen.outputs, "classification"))
    return found


def observed(module: nn.Module, known: Description) -> Observation:
    """Run the module on what its source declares, or on inputs found by trying."""
    from engine.inspection.first_layer import candidates

    if known.inputs:
        sizes = {**default_sizes(known.inputs), **known.sizes}
        seen = observe(module_run(module, known.inputs), known.inputs, sizes, known.outputs, tuple(known.sizes))
        return seen if seen.error or known.outputs else with_names(seen, output_names(module, seen))
    last = Observation((), {}, error="no input could be guessed")
    for inputs in candidates(module):
        last = observe(module_run(module, inputs), inputs, default_sizes(inputs))
        if not last.error:
            return replace(last, guessed=(*last.guessed,), notes=(*last.notes, "The inputs were found by trying."))
    return last


def output_names(module: nn.Module, seen: Observation) -> tuple[str, ...]:
    """The names a model gives its outputs itself, where it does."""
    import torch

    from engine.adapter import Adapter

    if not isinstance(module, Adapter):
        return ()
    spec = ModelSpec("", "", seen.inputs, (), sizes=seen.sizes)
    with torch.no_grad():
        return module.output_names(*positional(random_feeds(spec, 2, 0), spec))


def with_names(seen: Observation, names: tuple[str, ...]) -> Observation:
    """The same with these names for the outputs, as far as there are any."""
    named = [replace(each, name=name) for each, name in zip(seen.outputs, names, strict=False)]
    return replace(seen, outputs=(*named, *seen.outputs[len(named) :]))


def module_run(module: Any, inputs: Any) -> Run:
    """A function that runs a module on feeds by name."""
    import torch

    spec = ModelSpec("", "", tuple(inputs), ())

    def run(feeds: dict[str, Any]) -> list[np.ndarray]:
        torch.manual_seed(0)
        with torch.no_grad():
            return [to_numpy(each) for each in flatten(module(*positional(feeds, spec)))]

    return run


def working_inputs(
    module: nn.Module, architecture: str, arguments: Mapping[str, Any]
) -> Callable[[int, int], tuple[Any, ...]]:
    """A function that makes inputs the module takes, from a batch size and a seed."""
    known = catalog.describe(architecture, arguments, module)
    seen = observed(module, known)
    if seen.error:
        raise BadInput(
            f"{architecture} did not run on any input that was tried: {seen.error}", "Upload a file instead."
        )
    spec = ModelSpec("", "", seen.inputs, (), sizes=seen.sizes)
    return lambda batch, seed: positional(random_feeds(spec, batch, seed), spec)


def parameter_count(module: nn.Module) -> int:
    """How many numbers the parameters hold, shared ones once."""
    return sum(each.numel() for each in module.parameters())


def leaves(module: nn.Module) -> list[nn.Module]:
    """The modules that contain no other."""
    return [each for each in module.modules() if not any(True for _ in each.children())]


def layers(module: nn.Module) -> tuple[tuple[str, str, int], ...]:
    """A row for each module that contains no other, or that has parameters of its own."""
    rows = []
    for name, each in module.named_modules():
        own = sum(p.numel() for p in each.parameters(recurse=False))
        if own or not any(True for _ in each.children()):
            rows.append((name or type(each).__name__, type(each).__name__, own))
    return tuple(rows[:MANY_LAYERS])
