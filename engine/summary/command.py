"""The command that measures one recipe of a comparison again, typed in the folder of the model's file."""

from __future__ import annotations

import shlex
from pathlib import Path

from engine.spec import PRESETS, ModelSpec, Workload
from engine.store.rows import ComparisonRow

UNKNOWN = ("MODEL",)
"""What stands for a model whose file's name was never kept."""


def reproduce(comparison: ComparisonRow, recipe: str) -> str:
    """The command line; what the preset says already is left out."""
    workload = comparison.workload
    words = ["optibench", "compare", *(comparison.spec.source or UNKNOWN), "--recipe", recipe]
    words += ["--batch", ",".join(map(str, workload.batch_sizes)), "--device", workload.device]
    for name, shape in shapes(comparison.spec, workload).items():
        words += ["--shape", f"{name}={'x'.join(map(str, shape))}"]
    for text in values(comparison.spec):
        words += ["--values", text]
    data = dataset(comparison)
    words += ["--dataset", data] if data else []
    return shlex.join([*words, *amounts(workload)])


def shapes(spec: ModelSpec, workload: Workload) -> dict[str, tuple[int, ...]]:
    """The shapes that were given, and those of inputs with a dynamic dimension beside the batch."""
    sizes = spec.sizes_at(workload.batch_sizes[0])
    chosen = {
        each.name: each.concrete(sizes)
        for each in spec.tensor_inputs
        if set(each.dynamic) - {spec.batch_dimension} and set(each.dynamic) <= set(sizes)
    }
    return {**chosen, **workload.shapes}


def values(spec: ModelSpec) -> list[str]:
    """The ranges and constants that the user gave, as the command line takes them."""
    found = []
    for each in spec.inputs:
        if each.name not in spec.given:
            continue
        if each.constant is not None:
            found.append(f"{each.name}={each.constant}")
        elif each.low is not None and each.high is not None:
            found.append(f"{each.name}={each.low:.17g}:{each.high:.17g}")
    return found


def dataset(comparison: ComparisonRow) -> str:
    """The data set as the command line names it: `sample:NAME` or a file's name, or nothing."""
    name = comparison.workload.dataset
    return str(comparison.dataset.get("file") or Path(name).name)


def amounts(workload: Workload) -> list[str]:
    """How much is measured, where it is not what a quick look takes."""
    base = PRESETS.get(workload.preset, PRESETS["quick"])
    words = ["--preset", base.preset] if base.preset != "quick" else []
    for option, value, usual in (
        ("--rounds", workload.rounds, base.rounds),
        ("--seconds", workload.seconds, base.seconds),
        ("--threads", workload.threads, base.threads),
        ("--seed", workload.seed, base.seed),
    ):
        words += [option, str(value)] if value != usual else []
    return words
