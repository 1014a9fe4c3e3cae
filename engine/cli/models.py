"""Models and machines, for one command: opened in a worker, and nothing kept."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine import intake, settings
from engine.errors import BadInput
from engine.recipes import scalar, split
from engine.settings import Settings
from engine.spec import ModelSpec, Scalar
from engine.store import Store
from engine.worker.jobs import ProbeJob
from engine.worker.launch import launch
from engine.worker.protocol import Event

PROBE_TIMEOUT_S = 120.0
SAMPLE = "sample:"


def inspected(model: Path | None, architecture: str) -> ModelSpec:
    """What a model file, a sample or an architecture is; leaves nothing behind."""
    known = settings.load()
    with tempfile.TemporaryDirectory(prefix="inspected-", dir=known.uploads) as folder:
        scratch = temporary(known, Path(folder))
        from engine.store import open_store

        store = open_store(scratch)
        try:
            id = add_model(scratch, store, model, architecture, seed=0)
            spec = store.model(id).spec
            store.delete_model(id)
        finally:
            store.close()
    return spec


def temporary(known: Settings, folder: Path) -> Settings:
    """The same settings with a database that goes with `folder`; artifacts stay shared."""
    from dataclasses import replace

    return replace(known, database_url=f"sqlite:///{folder / 'comparison.db'}")


def add_model(
    known: Settings,
    store: Store,
    model: Path | None,
    architecture: str,
    *,
    seed: int,
    on_event: Callable[[Event], None] | None = None,
) -> str:
    """Add what the command line names as the model; raises BadInput when it can't be."""
    if model is None and not architecture:
        raise BadInput("No model is given.", "Give a model file, sample:NAME, or --architecture.")
    if model is not None and str(model).startswith(SAMPLE):
        return intake.add_sample(known, store, str(model).removeprefix(SAMPLE), on_event)
    name, arguments = parse_architecture(architecture)
    label = model.stem if model is not None else name
    return intake.inspect_upload(
        known,
        model,
        name=label,
        architecture=name,
        arguments=arguments,
        on_event=on_event,
        store=store,
        seed=seed,
    )


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
