"""Models and machines, for one command: opened in a worker, and nothing kept."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine import intake, settings
from engine.errors import BadInput
from engine.recipes import scalar, split
from engine.settings import Settings
from engine.spec import ModelSpec, Scalar
from engine.store import Store, open_store
from engine.worker.jobs import ProbeJob
from engine.worker.launch import launch
from engine.worker.protocol import Event

PROBE_TIMEOUT_S = 120.0
SAMPLE = "sample:"
PREFIX, DATABASE = "command-", "comparison.db"
STALE_S = 24 * 3600.0


def inspected(model: Path | None, architecture: str, shapes: Mapping[str, tuple[int, ...]]) -> ModelSpec:
    """What a model file, a sample or an architecture is; leaves nothing behind."""
    known = settings.load()
    with scratch(known) as store:
        return store.model(add_fitting(store, model, architecture, shapes, seed=0)).spec.with_shapes(dict(shapes))


def add_fitting(
    store: Store, model: Path | None, architecture: str, shapes: Mapping[str, tuple[int, ...]], *, seed: int
) -> str:
    """Add the model; where its inputs were guessed and the given shapes don't fit them, look again with those."""
    id = add_model(store, model, architecture, seed=seed)
    spec = store.model(id).spec
    guessed = any(f"input {each.name}" in spec.guessed and each.constant is None for each in spec.inputs)
    if not shapes or not guessed or model is None or str(model).startswith(SAMPLE):
        return id
    try:
        fits = bool(spec.with_shapes(dict(shapes)).outputs)
    except BadInput:
        fits = False
    return id if fits else add_model(store, model, architecture, seed=seed, shapes=shapes)


@contextlib.contextmanager
def scratch(known: Settings) -> Iterator[Store]:
    """A store in a folder of its own that goes when the command ends; artifacts are the shared ones."""
    sweep(known)
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=known.jobs, ignore_cleanup_errors=True) as folder:
        store = open_store(replace(known, database_url=f"sqlite:///{folder}/{DATABASE}"))
        try:
            yield store
        finally:
            store.close()


def sweep(known: Settings) -> None:
    """Remove what commands left that were killed more than a day ago."""
    for each in known.jobs.glob(f"{PREFIX}*"):
        if time.time() - each.stat().st_mtime > STALE_S:
            shutil.rmtree(each, ignore_errors=True)


def add_model(
    store: Store,
    model: Path | None,
    architecture: str,
    *,
    seed: int,
    on_event: Callable[[Event], None] | None = None,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
) -> str:
    """Add what the command line names as the model to a scratch store; raises BadInput when it can't be."""
    if model is None and not architecture:
        raise BadInput("No model is given.", "Give a model file, sample:NAME, or --architecture.")
    known = store.settings
    within = Path(known.database_url.removeprefix("sqlite:///")).parent
    if model is not None and str(model).startswith(SAMPLE):
        return intake.add_sample(known, store, str(model).removeprefix(SAMPLE), on_event, within)
    name, arguments = parse_architecture(architecture)
    label = model.stem if model is not None else name
    id = intake.inspect_upload(
        known,
        model,
        name=label,
        architecture=name,
        arguments=arguments,
        on_event=on_event,
        store=store,
        seed=seed,
        within=within,
        shapes=shapes,
    )
    if name and not store.model(id).spec.architecture:
        raise BadInput(f"{label} brings its own architecture.", "Leave out --architecture, which is for bare weights.")
    return id


def parse_architecture(text: str) -> tuple[str, dict[str, Scalar]]:
    """Read `torchvision.resnet50` or `torchvision.resnet50(num_classes=10)`."""
    name, parenthesis, rest = text.strip().partition("(")
    arguments: dict[str, Scalar] = {}
    if parenthesis:
        if not rest.endswith(")"):
            raise BadInput(f"{text!r} is not an architecture.", "Write name or name(argument=value).")
        for part in split(rest[:-1], ","):
            key, equals, value = part.partition("=")
            if not equals:
                raise BadInput(f"{part.strip()!r} in {text!r} is not an argument.", "Write argument=value.")
            arguments[key.strip()] = scalar(value.strip())
    return name.strip(), arguments


def probed() -> dict[str, Any]:
    """What a worker finds out about this machine."""
    known = settings.load()
    with tempfile.TemporaryDirectory(prefix="probe-", dir=known.jobs) as folder:
        outcome = launch(ProbeJob(), Path(folder), timeout_s=PROBE_TIMEOUT_S)
    return intake.succeeded(outcome)
