"""Run a model a few times to see what its files don't say: which sizes work, what shapes come out."""

from __future__ import annotations

import itertools
import math
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from engine.catalog.base import BATCH
from engine.feeds import random_feeds
from engine.inspection.answers import differ
from engine.spec import ModelSpec, TensorSpec

Run = Callable[[dict[str, Any]], list[np.ndarray]]
OTHER_SIZES = (64, 32, 48, 128, 256, 512, 28, 96, 576, 299, 384, 16, 224, 640, 1024, 784, 8, 4, 2, 3, 1, 16000)
ATTEMPTS, SMALLEST_SIZE, LARGEST_SIZE = 60, 5, 20_000
ALONE = re.compile(r"(?<![\w.:'])\d+(?![\w'])")  # a size, not the number in the name of a node
PATIENCE_S, SLOW_S, MANY_ELEMENTS, QUICK_ELEMENTS = 4.0, 1.0, 4_000_000, 1_000_000


@dataclass(frozen=True)
class Observation:
    """What running showed: inputs and sizes that work, and the outputs they give.

    `remembers` says that the same input was answered differently the second time. `error` is the
    last thing the model said when nothing worked; `guessed` names the sizes found by trying.
    """

    inputs: tuple[TensorSpec, ...]
    sizes: dict[str, int]
    outputs: tuple[TensorSpec, ...] = ()
    guessed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    error: str = ""
    remembers: bool = False


@dataclass(frozen=True)
class Answer:
    """What one run gave, or what went wrong in one line."""

    outputs: list[np.ndarray]
    error: str = ""


def observe(
    run: Run,
    inputs: Sequence[TensorSpec],
    sizes: Mapping[str, int],
    names: Sequence[str] = (),
    fixed: Sequence[str] = (),
    batches: Sequence[int] = (2, 1),
) -> Observation:
    """Find sizes that work and derive the outputs' shapes from what changes with what.

    `fixed` names dimensions whose sizes are given and not to be searched, `batches` the batch sizes
    to search at. Where only 1 works, the batch becomes a fixed dimension, with a note.
    """
    seen = Observation(tuple(inputs), dict(sizes))
    answer = ask(run, seen, 2)
    if answer.error and any(each.dynamic for each in inputs):
        seen, answer = search(run, seen, fixed, answer, batches)
    if answer.error:
        return replace(seen, error=answer.error)
    started = time.monotonic()
    again = ask(run, seen, 2)
    if again.error:
        return replace(seen, error=f"the second call on the same input failed: {again.error}")
    seen = replace(seen, remembers=differ(answer.outputs, again.outputs))
    slow = time.monotonic() - started > SLOW_S
    small = halved(run, seen, again.outputs) if slow else None
    if small is None:
        return replace(seen, outputs=shapes_by_change(run, seen, again.outputs, names))
    outputs = shapes_by_change(run, small[0], small[1], names)
    return replace(seen, outputs=tuple(map(at_full_size, itertools.count(), outputs, again.outputs)))


def halved(run: Run, seen: Observation, whole: list[np.ndarray]) -> tuple[Observation, list[np.ndarray]] | None:
    """The same at half of every size with what it gives, for a model that takes long; None where it does not work."""
    small = replace(seen, sizes={name: max(1, size // 2) for name, size in seen.sizes.items()})
    answer = ask(run, small, 2)
    alike = [each.ndim for each in answer.outputs] == [each.ndim for each in whole]
    return (small, answer.outputs) if alike and not answer.error else None


def at_full_size(index: int, output: TensorSpec, whole: np.ndarray) -> TensorSpec:
    """An output that was looked at in small; a size that is another in full follows some input, nobody knows how."""
    pairs = enumerate(zip(output.shape, whole.shape, strict=True))
    shape = (f"output{index}_dim{axis}" if isinstance(one, int) and one != full else one for axis, (one, full) in pairs)
    return replace(output, shape=tuple(shape))


def ask(run: Run, seen: Observation, batch: int) -> Answer:
    """Run once on seeded inputs."""
    try:
        return Answer(run(feeds(seen, batch)))
    except Exception as error:  # whatever a model raises on inputs it does not take
        return Answer([], last_line(error))


def search(
    run: Run, seen: Observation, fixed: Sequence[str], answer: Answer, batches: Sequence[int]
) -> tuple[Observation, Answer]:
    """Try other sizes, those that the error mentions first, at each batch size in turn until one works.

    Gives up after some seconds for each batch size, and never makes an input that is larger than pictures are.
    """
    for batch in batches:
        until = time.monotonic() + PATIENCE_S
        for sizes in itertools.islice(other_sizes(seen.sizes, fixed, answer.error), ATTEMPTS):
            trial = replace(seen, sizes=sizes)
            if time.monotonic() > until or elements(trial, batch) > MANY_ELEMENTS:
                continue
            found = ask(run, trial, batch)
            if not found.error:
                changed = tuple(name for name, size in sizes.items() if size != seen.sizes[name])
                settled = trial if batch > 1 else without_batch(trial, answer.error)
                return replace(settled, guessed=changed), found
    return seen, answer


def elements(seen: Observation, batch: int) -> int:
    """How many numbers the largest input holds."""
    known = {BATCH: batch, **seen.sizes}
    return max((math.prod(each.concrete(known)) for each in seen.inputs), default=0)


def other_sizes(sizes: dict[str, int], fixed: Sequence[str], error: str) -> Iterator[dict[str, int]]:
    """The given sizes, then other ones for all free dimensions together and for each alone."""
    yield sizes
    free = [each for each in sizes if each not in fixed]
    mentioned = [int(each) for each in ALONE.findall(error) if SMALLEST_SIZE <= int(each) <= LARGEST_SIZE]
    for size in dict.fromkeys([*mentioned, *OTHER_SIZES]):
        if len(free) > 1:
            yield {**sizes, **dict.fromkeys(free, size)}
        for each in free:
            yield {**sizes, each: size}


def without_batch(seen: Observation, error: str) -> Observation:
    """The same with batch 1 fixed, because nothing larger works."""
    if not any(BATCH in each.shape for each in seen.inputs):
        return seen
    inputs = tuple(replace(t, shape=tuple(1 if d == BATCH else d for d in t.shape)) for t in seen.inputs)
    note = f"The batch is declared dynamic, but only 1 works: {error[:200]}"
    return replace(seen, inputs=inputs, notes=(*seen.notes, note))


def shapes_by_change(
    run: Run, seen: Observation, base: list[np.ndarray], names: Sequence[str]
) -> tuple[TensorSpec, ...]:
    """The outputs, with the name of an input's dimension wherever an output's follows it."""
    sizes = {BATCH: 2, **seen.sizes}
    shapes: list[list[int | str]] = [list(each.shape) for each in base]
    for dimension in dict.fromkeys(d for each in seen.inputs for d in each.dynamic):
        changed = changed_run(run, seen, base, dimension)
        if changed is None or len(changed[1]) != len(base):
            continue
        size, outputs = changed
        for index, (before, after) in enumerate(zip(base, outputs, strict=True)):
            if before.ndim != after.ndim:
                continue
            for axis, (one, other) in enumerate(zip(before.shape, after.shape, strict=True)):
                if one != other and isinstance(shapes[index][axis], int):
                    follows = one == sizes[dimension] and other == size
                    shapes[index][axis] = dimension if follows else f"output{index}_dim{axis}"
    return tuple(
        TensorSpec(names[i] if i < len(names) else f"output{i}", base[i].dtype.name, tuple(shape))
        for i, shape in enumerate(shapes)
    )


def changed_run(
    run: Run, seen: Observation, base: list[np.ndarray], dimension: str
) -> tuple[int, list[np.ndarray]] | None:
    """The outputs with one dimension at another size that the model takes, if possible one that shows; or None."""
    found: tuple[int, list[np.ndarray]] | None = None
    size = {BATCH: 2, **seen.sizes}[dimension]
    for other in (size + 1, size * 2, max(1, size // 2)):
        trial = seen if dimension == BATCH else replace(seen, sizes={**seen.sizes, dimension: other})
        batch = other if dimension == BATCH else 2
        if found and elements(trial, batch) > QUICK_ELEMENTS:
            continue
        answer = ask(run, trial, batch)
        if answer.error:
            continue
        if [each.shape for each in answer.outputs] != [each.shape for each in base]:
            return other, answer.outputs
        found = found or (other, answer.outputs)
    return found


def feeds(seen: Observation, batch: int) -> dict[str, Any]:
    """Seeded inputs at one batch size."""
    spec = ModelSpec("probe", "", seen.inputs, (), sizes=seen.sizes)
    return random_feeds(spec, batch, seed=0, sizes={BATCH: batch})


def last_line(error: BaseException) -> str:
    """The last line of a message, where PyTorch puts the point."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", lines[-1]) if lines else type(error).__name__
    return said[:300]
