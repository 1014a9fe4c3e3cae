"""What comes in: model files, data sets and samples. Nothing of it is opened in this process."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.artifact import read_manifest
from engine.copying import cancelled_by_user, copy_upload
from engine.errors import BadInput, PhaseFailed
from engine.recipes import render_use
from engine.settings import Settings
from engine.spec import ModelSpec, Status, Use, from_json
from engine.store import Store, open_store
from engine.store.models import new_id
from engine.worker.jobs import InspectJob
from engine.worker.launch import launch
from engine.worker.protocol import Event, Outcome

INSPECT_TIMEOUT_S = 600.0
UPLOAD, SHAPE = "upload", "--shape"
SAMPLES = Path(__file__).resolve().parents[1] / "sample_models"


def inspect_upload(
    settings: Settings,
    path: Path | None,
    *,
    name: str = "",
    architecture: str = "",
    arguments: Mapping[str, Any] | None = None,
    on_event: Callable[[Event], None] | None = None,
    store: Store | None = None,
    origin: str = UPLOAD,
    seed: int = 0,
    within: Path | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
) -> str:
    """Copy a model file, open it in a worker and keep it as a model; returns its id.

    It is kept in the folder of uploads, or `within` another. `shapes` are those of inputs whose file
    does not tell. Without a path, `architecture` is built with settled random weights. Raises BadInput
    or PhaseFailed with one sentence, also when it is cancelled, and then nothing is left behind.
    """
    id = new_id()
    home = within or settings.uploads
    folder = home / id
    try:
        with tempfile.TemporaryDirectory(prefix="incoming-", dir=home) as incoming:
            copied = copy_upload(settings, path, Path(incoming), cancelled) if path is not None else None
            job = InspectJob(
                path=str(copied) if copied else "",
                folder=str(folder),
                name=name,
                architecture=architecture,
                arguments=dict(arguments or {}),
                seed=seed,
                shapes=dict(shapes or {}),
            )
            spec = inspect(settings, job, on_event, cancelled)
        if cancelled():
            raise cancelled_by_user()
        kept = store or open_store(settings)
        words = (origin,) if origin != UPLOAD else source_words(path, architecture, arguments or {})
        kept.add_model(replace(spec, source=words), folder, origin=origin, id=id)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return id


def inspect_again(
    settings: Settings,
    store: Store,
    id: str,
    shapes: Mapping[str, tuple[int, ...]],
    on_event: Callable[[Event], None] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> str:
    """Look at a kept model again with the shapes of its inputs; its id stays. Raises as `inspect_upload` does."""
    row = store.model(id)
    file = read_manifest(row.folder).path
    with tempfile.TemporaryDirectory(prefix="again-", dir=settings.uploads) as folder:
        job = InspectJob(path=str(file), folder=folder, name=row.name, shapes=dict(shapes))
        spec = inspect(settings, job, on_event, cancelled)
    words = row.spec.source[: row.spec.source.index(SHAPE)] if SHAPE in row.spec.source else row.spec.source
    typed = [word for name, shape in shapes.items() for word in (SHAPE, f"{name}={'x'.join(map(str, shape))}")]
    store.update_model(id, replace(spec, source=(*words, *typed) if words else ()))
    return id


def source_words(path: Path | None, architecture: str, arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """The words that name a file or an architecture on the command line, in the folder of that file."""
    file = (path.name,) if path is not None else ()
    return (*file, "--architecture", render_use(Use(architecture, dict(arguments)))) if architecture else file


def inspect(
    settings: Settings, job: InspectJob, on_event: Callable[[Event], None] | None, cancelled: Callable[[], bool]
) -> ModelSpec:
    """Admit a file into the job's folder in a worker; raises BadInput or PhaseFailed."""
    folder = Path(job.folder)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="inspect-", dir=settings.jobs) as work:
        readable = (settings.architectures, *((Path(job.path).parent,) if job.path else ()))
        outcome = launch(
            job,
            Path(work),
            timeout_s=INSPECT_TIMEOUT_S,
            on_event=on_event,
            cancelled=cancelled,
            writable=(folder,),
            readable=readable,
        )
    if outcome.status == "cancelled":
        raise cancelled_by_user()
    return from_json(ModelSpec, succeeded(outcome)["spec"])


def succeeded(outcome: Outcome) -> dict[str, Any]:
    """The value of a phase that worked; raises what it says otherwise."""
    if outcome.status == "ok":
        return outcome.value
    if outcome.status in ("failed", "unsupported"):
        raise BadInput(outcome.reason, outcome.hint)
    status: Status = outcome.status
    raise PhaseFailed(status, outcome.reason, outcome.hint)


def add_dataset(
    settings: Settings, store: Store, path: Path, *, name: str = "", columns: Mapping[str, str] | None = None
) -> str:
    """Copy a data set into the home folder and keep it; returns its id.

    It is opened by the prepare phase only, for a model, because only a model says what fits it.
    """
    id = new_id()
    folder = settings.datasets / id
    folder.mkdir(parents=True)
    try:
        copied = copy_upload(settings, path, folder)
        facts = {"bytes": copied.stat().st_size, "file": copied.name, "columns": dict(columns or {})}
        store.add_dataset(name or path.stem, copied, facts, id=id)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return id


def sample_cards() -> list[dict[str, Any]]:
    """The cards of the bundled models whose weights are there, by name."""
    cards = [json.loads(each.read_text()) for each in sorted(SAMPLES.glob("*/card.json"))]
    return [each for each in cards if (SAMPLES / each["name"] / "weights.safetensors").exists()]


def add_sample(
    settings: Settings,
    store: Store,
    name: str,
    on_event: Callable[[Event], None] | None = None,
    within: Path | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> str:
    """Keep a bundled model, once; returns its id. Raises BadInput when there is no such sample."""
    origin = f"sample:{name}"
    known = next((each.id for each in store.models() if each.origin == origin), None)
    if known is not None:
        return known
    card = next((each for each in sample_cards() if each["name"] == name), None)
    if card is None:
        offered = ", ".join(each["name"] for each in sample_cards())
        raise BadInput(f"There is no sample model {name!r}.", f"Samples: {offered}.")
    return inspect_upload(
        settings,
        SAMPLES / name / "weights.safetensors",
        name=card.get("title", name),
        architecture=f"sample.{name}",
        arguments=card.get("arguments", {}),
        on_event=on_event,
        store=store,
        origin=origin,
        within=within,
        cancelled=cancelled,
    )


def sample_dataset(model_origin: str) -> str:
    """The bundled data set that belongs to a sample model, as a workload names it, or nothing."""
    name = model_origin.removeprefix("sample:") if model_origin.startswith("sample:") else ""
    return next((str(each.get("dataset", "")) for each in sample_cards() if each["name"] == name), "")
