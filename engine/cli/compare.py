"""`optibench compare`: the dashboard's queue on a database of its own, followed to the end."""

from __future__ import annotations

import dataclasses
import shlex
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

from engine import document as documents
from engine import presets, settings
from engine.cli.arguments import Request, batch_sizes, check, dataset, device
from engine.cli.live import Display
from engine.cli.models import SAMPLE, add_fitting, add_model, scratch
from engine.document import ComparisonDocument
from engine.errors import BadInput
from engine.recipes import read_shapes, read_values
from engine.spec import PRESETS, ModelSpec, Status, Variant, Workload
from engine.steps import step_for
from engine.store import Store
from engine.workload import check as workload_fits

GOOD: tuple[Status, ...] = ("ok", "suspect", "unsupported")
ENDING = (signal.SIGINT, signal.SIGTERM)
OK, FAILED = 0, 1
POLL_S, REDRAW_S = 0.2, 2.0


def run(request: Request) -> int:
    """Carry out a comparison and show it; returns the exit code. Raises BadInput for bad arguments."""
    check(request)
    before = {each: signal.getsignal(each) for each in ENDING}
    signal.signal(signal.SIGTERM, interrupt)
    try:
        with scratch(settings.load()) as store, Display() as display:
            display.say("Inspecting the model")
            given = read_shapes(request.shapes)
            model = add_fitting(store, request.model, request.architecture, given, seed=request.seed)
            if values := read_values(request.values):
                store.update_model(model, store.model(model).spec.with_values(values))
            document = measured(request, store, model, display)
            if request.out is not None:
                write(document, request.out)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    display.show(document)
    return OK if all(each.status in GOOD for variant in document.variants for each in variant.results) else FAILED


def interrupt(*_: object) -> None:
    """Being asked to end is like Ctrl-C: what is finished is kept."""
    raise KeyboardInterrupt


def measured(request: Request, store: Store, model: str, display: Display) -> ComparisonDocument:
    """Queue the comparison, follow it, and give its document; job folders of what failed are kept."""
    spec = store.model(model).spec
    workload = workload_of(request, spec)
    variants = variants_of(request, workload_fits(spec, workload), workload)
    add_teachers(store, variants, request.seed)
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


def add_teachers(store: Store, variants: list[Variant], seed: int) -> None:
    """Add the sample models that steps name as `sample:NAME`, to learn from."""
    for variant in variants:
        for use, format in zip(variant.route, variant.formats, strict=False):
            step = step_for(use.name, format)
            for each in step.option_list() if step else ():
                value = str(use.options.get(each.name, ""))
                if each.kind == "model" and value.startswith(SAMPLE):
                    add_model(store, Path(value), "", seed=seed)


class Asked:
    """Counts how often the user asked to end: an exception raised in the middle of a library can be lost there."""

    times = 0

    def __call__(self, *_: object) -> None:
        self.times += 1


def follow(store: Store, id: str, display: Display) -> None:
    """Run the queue in this process and show how it goes; Ctrl-C cancels what is left.

    A second one ends without waiting for what is cancelled. From here on nothing but these two is
    done about it, so that what was measured gets written.
    """
    from engine.schedule.scheduler import Scheduler

    asked = Asked()
    for each in ENDING:
        signal.signal(each, asked)
    scheduler = Scheduler(store)
    thread = threading.Thread(target=scheduler.run, name="scheduler", daemon=True)
    thread.start()
    cancelled = False
    seen: tuple[str, int] | None = None
    drawn = 0.0
    while thread.is_alive() and (pulse := store.pulse(id))[0] in ("queued", "running") and asked.times < 2:
        if asked.times and not cancelled:
            cancelled = True
            display.say("Cancelling")
            store.cancel(id)
        if pulse != seen or time.monotonic() > drawn + REDRAW_S:
            display.update(store.progress(id))
            seen, drawn = pulse, time.monotonic()
        time.sleep(POLL_S)
    display.update(store.progress(id))
    scheduler.stopping.set()
    thread.join()


def workload_of(request: Request, spec: ModelSpec) -> Workload:
    """The workload, from the preset and what was asked for beside it."""
    base = PRESETS.get(request.preset, PRESETS["quick"])
    sizes = batch_sizes(request.batch) or (spec.fixed_batch or 1,)
    return dataclasses.replace(
        base,
        batch_sizes=sizes,
        device=device(request.device),
        shapes=read_shapes(request.shapes),
        dataset=dataset(request),
        rounds=request.rounds or base.rounds,
        seconds=request.seconds or base.seconds,
        threads=request.threads,
        timeout_s=request.timeout_s,
        seed=request.seed,
    )


def variants_of(request: Request, spec: ModelSpec, workload: Workload) -> list[Variant]:
    """The recipes that were named, or else the preset's; a reference is always measured with them."""
    chosen = [("", each) for each in request.recipes]
    if not chosen:
        chosen = presets.recipes(spec, workload.device, request.preset or "quick", dataset=bool(request.dataset))
    return presets.variants(spec, workload.device, chosen)


def write(document: ComparisonDocument, path: Path) -> None:
    """Write the comparison whole or not at all."""
    try:
        documents.write(document, path)
    except OSError as error:
        raise BadInput(f"{path} can't be written: {error.strerror}.", "Choose another --out.") from error
