"""`optibench compare`: the dashboard's queue on a database of its own, followed to the end."""

from __future__ import annotations

import dataclasses
import shlex
import shutil
import signal
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from engine import document as documents
from engine import presets, settings
from engine.cli.live import Display
from engine.cli.models import SAMPLE, add_model, scratch
from engine.document import ComparisonDocument
from engine.errors import BadInput
from engine.recipes import parse
from engine.spec import PRESETS, ModelSpec, Status, Variant, Workload
from engine.store import Store
from engine.workload import check as workload_fits
from engine.workload import fixed_batch

BAD: tuple[Status, ...] = ("failed", "crashed", "timeout", "oom", "cancelled")
OK, FAILED = 0, 1
POLL_S, REDRAW_S = 0.2, 2.0
DEVICES = ("cpu", "cuda")


@dataclass(frozen=True)
class Request:
    """What was asked for, as it was typed."""

    model: Path | None
    recipes: tuple[str, ...] = ()
    preset: str = ""
    batch: str = ""
    device: str = ""
    shapes: tuple[str, ...] = ()
    architecture: str = ""
    dataset: str = ""
    out: Path | None = None
    name: str = ""
    rounds: int = 0
    seconds: float = 0.0
    threads: int = 0
    timeout_s: float = 900.0
    seed: int = 0


def run(request: Request) -> int:
    """Carry out a comparison and show it; returns the exit code. Raises BadInput for bad arguments."""
    check(request)
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        with scratch(settings.load()) as store, Display() as display:
            display.say("Inspecting the model")
            model = add_model(store, request.model, request.architecture, seed=request.seed)
            document = measured(request, store, model, display)
    finally:
        signal.signal(signal.SIGTERM, before)
    if request.out is not None:
        write(document, request.out)
    display.show(document)
    return FAILED if any(each.status in BAD for variant in document.variants for each in variant.results) else OK


def interrupt(*_: object) -> None:
    """Being asked to end is like Ctrl-C: what is finished is kept."""
    raise KeyboardInterrupt


def check(request: Request) -> None:
    """Refuse what can be refused before the model is opened."""
    if request.preset and request.preset not in presets.NAMES:
        raise BadInput(f"There is no preset {request.preset!r}.", f"Presets: {', '.join(presets.NAMES)}.")
    for each in request.recipes:
        parse(each)
    batch_sizes(request.batch)
    shapes(request.shapes)
    device(request.device)
    if request.dataset and not request.dataset.startswith(SAMPLE) and not Path(request.dataset).exists():
        raise BadInput(f"There is no data set {request.dataset}.", "Check the path, or use sample:NAME.")
    if request.out is not None and not request.out.absolute().parent.is_dir():
        raise BadInput(f"There is no folder {request.out.absolute().parent}.", "Create it, or choose another --out.")


def measured(request: Request, store: Store, model: str, display: Display) -> ComparisonDocument:
    """Queue the comparison, follow it, and give its document; job folders of what failed are kept."""
    spec = store.model(model).spec
    workload = workload_of(request, spec)
    variants = variants_of(request, workload_fits(spec, workload), workload)
    command = shlex.join(["optibench", *sys.argv[1:]])
    id = store.create_comparison(request.name or spec.name, model, workload, variants, command=command)
    follow(store, id, display)
    state = store.state(id)
    document = store.document(id)
    for phase in state.phases:
        if phase.status in ("ok", "cancelled", "queued"):
            shutil.rmtree(phase.folder, ignore_errors=True)
    refused = next((each for each in state.phases if each.kind == "prepare" and each.status == "failed"), None)
    if refused is not None:
        raise BadInput(refused.reason, refused.hint)
    return document


def follow(store: Store, id: str, display: Display) -> None:
    """Run the queue in this process and show how it goes; Ctrl-C cancels what is left."""
    from engine.schedule.scheduler import Scheduler

    scheduler = Scheduler(store)
    thread = threading.Thread(target=scheduler.run, name="scheduler", daemon=True)
    thread.start()
    cancelled = False
    seen: tuple[str, int] | None = None
    drawn = 0.0
    while thread.is_alive() and (pulse := store.pulse(id))[0] in ("queued", "running"):
        try:
            if pulse != seen or time.monotonic() > drawn + REDRAW_S:
                display.update(store.progress(id))
                seen, drawn = pulse, time.monotonic()
            time.sleep(POLL_S)
        except KeyboardInterrupt:
            if cancelled:
                break
            cancelled = True
            display.say("Cancelling")
            store.cancel(id)
    display.update(store.progress(id))
    scheduler.stopping.set()
    thread.join()


def workload_of(request: Request, spec: ModelSpec) -> Workload:
    """The workload, from the preset and what was asked for beside it."""
    base = PRESETS.get(request.preset, PRESETS["quick"])
    sizes = batch_sizes(request.batch) or (fixed_batch(spec) or 1,)
    return dataclasses.replace(
        base,
        batch_sizes=sizes,
        device=device(request.device),
        shapes=shapes(request.shapes),
        dataset=dataset(request),
        rounds=request.rounds or base.rounds,
        seconds=request.seconds or base.seconds,
        threads=request.threads,
        timeout_s=request.timeout_s,
        seed=request.seed,
    )


def variants_of(request: Request, spec: ModelSpec, workload: Workload) -> list[Variant]:
    """The recipes that were named, and the preset's when one was named or no recipe was."""
    chosen = [("", each) for each in request.recipes]
    if request.preset or not chosen:
        preset = request.preset or "quick"
        chosen = [*presets.recipes(spec, workload.device, preset, dataset=bool(request.dataset)), *chosen]
    return presets.variants(spec, workload.device, chosen)


def batch_sizes(text: str) -> tuple[int, ...]:
    """Read `1,8`."""
    parts = [each.strip() for each in text.split(",") if each.strip()]
    if not all(each.isdigit() and int(each) > 0 for each in parts):
        raise BadInput(f"--batch {text!r} is not a list of batch sizes.", "Write whole numbers, such as 1,8.")
    return tuple(dict.fromkeys(int(each) for each in parts))


def shapes(texts: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    """Read `NAME=1x3x224x224`; a name may hold any character."""
    found = {}
    for text in texts:
        name, equals, sizes = text.rpartition("=")
        parts = sizes.lower().split("x")
        if not equals or not name or not all(each.isdigit() and int(each) > 0 for each in parts):
            raise BadInput(f"--shape {text!r} is not a shape.", "Write NAME=1x3x224x224.")
        found[name] = tuple(int(each) for each in parts)
    return found


def device(text: str) -> str:
    """The device to measure on: the first GPU where there is one, unless another is named."""
    from engine.schedule.locks import gpu_uuid

    kind, _, index = text.partition(":")
    if text and (kind not in DEVICES or (index and not index.isdigit())):
        raise BadInput(f"There is no device {text!r}.", "Use cpu or cuda.")
    if kind == "cuda" and gpu_uuid(int(index or 0)) is None:
        raise BadInput("There is no NVIDIA GPU here, or its driver does not answer.", "Use --device cpu.")
    if kind == "cuda" or (not text and gpu_uuid(0) is not None):
        return f"cuda:{index or 0}"
    return "cpu"


def dataset(request: Request) -> str:
    """The data set as the workload names it."""
    if not request.dataset or request.dataset.startswith(SAMPLE):
        return request.dataset
    return str(Path(request.dataset).absolute())


def write(document: ComparisonDocument, path: Path) -> None:
    """Write the comparison whole or not at all."""
    try:
        documents.write(document, path)
    except OSError as error:
        raise BadInput(f"{path} can't be written: {error.strerror}.", "Choose another --out.") from error
