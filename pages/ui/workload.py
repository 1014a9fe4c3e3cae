"""The workload on the Optimize page: device, batch sizes, data set, rounds."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import streamlit as st

from engine import intake
from engine import workload as shared
from engine.analysis import numbers
from engine.errors import BadInput
from engine.spec import PRESETS, ModelSpec, Workload
from engine.store import ModelRow
from engine.worker.protocol import Event
from pages.ui import badges, machine, tasks
from pages.ui.context import settings, store

RANDOM = ""


def device_choice(found: dict[str, Any]) -> str:
    """The device to measure on: a GPU when there is one."""
    known = machine.devices(found)
    picked = st.segmented_control(
        "Device",
        list(known),
        default=next(iter(known)),
        format_func=known.__getitem__,
        key="device",
        required=True,
        persist_state="session",
    )
    return str(picked or "cpu")


def form(row: ModelRow, device: str, preset: str) -> Workload:
    """The fields of the workload; raises BadInput when one does not fit the model."""
    base = PRESETS.get(preset, PRESETS["quick"])
    first, second, third = st.columns([1, 2, 1], gap="medium")
    fixed = row.spec.fixed_batch
    default = str(fixed) if fixed is not None else "1, 8"
    text = first.text_input(
        "Batch sizes",
        default,
        key=f"batches_{row.id}",
        disabled=fixed is not None,
        help="Whole numbers separated by commas; every variant is measured at each of them.",
        persist_state="session",
    )
    with second:
        dataset = dataset_choice(row)
    rounds = third.number_input(
        "Rounds", 1, 50, base.rounds, key=f"rounds_{preset}", help="One round gives no interval; five give a good one."
    )
    with st.expander("More about the workload", icon=":material/settings:"):
        one, two, three, four = st.columns(4)
        seconds = one.number_input("Seconds a round", 0.05, 60.0, base.seconds, 0.1, key=f"seconds_{preset}")
        threads = two.number_input("CPU threads", 0, 256, 0, key="threads", help="0 takes all physical cores.")
        seed = three.number_input("Seed", 0, None, 0, key="seed")
        timeout = four.number_input("Time limit of a phase (s)", 10, 86_400, int(base.timeout_s), key="timeout")
    shapes = shape_fields(row.spec)
    sizes = batch_sizes(text)
    shared.check_batch_sizes(row.spec, sizes)
    return replace(
        base,
        batch_sizes=sizes,
        device=device,
        dataset=dataset,
        rounds=int(rounds),
        seconds=float(seconds),
        threads=int(threads),
        seed=int(seed),
        timeout_s=float(timeout),
        shapes=shapes,
        preset="own" if preset == "none" else preset,
    )


def batch_sizes(text: str) -> tuple[int, ...]:
    """Read batch sizes; raises BadInput."""
    parts = [each.strip() for each in text.replace(";", ",").split(",") if each.strip()]
    if not parts or not all(each.isdigit() for each in parts):
        raise BadInput(f"Batch sizes are {text!r}.", "Write whole numbers separated by commas, for example 1, 8.")
    return tuple(int(each) for each in parts)


def shape_fields(spec: ModelSpec) -> dict[str, tuple[int, ...]]:
    """Nothing to fill in here: dynamic dimensions have their sizes on the Models page; a gap is named."""
    gaps = [
        name for each in spec.inputs for name in each.dynamic if name != spec.batch_dimension and name not in spec.sizes
    ]
    if gaps:
        raise BadInput(f"The dynamic dimension {gaps[0]} has no size yet.", "Give it one on the Models page.")
    return {}


def dataset_choice(row: ModelRow) -> str:
    """The data set that accuracy and outputs are judged on."""
    own = intake.sample_dataset(row.origin)
    offered = {own: f"{row.name}: its own data"} if own else {}
    offered |= {each.id: f"{each.name} ({numbers.size(each.facts.get('bytes'))})" for each in store().datasets()}
    offered = badges.distinct(offered)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        picked = st.selectbox(
            "Data set",
            [*offered, RANDOM],
            format_func=lambda id: offered.get(id, "None: seeded random inputs, weak evidence"),
            key=f"dataset_{row.id}",
            help="With labels there is accuracy; without, agreement with the original model.",
        )
        with st.popover("Add data", icon=":material/upload:"):
            add_dataset()
    return str(picked or RANDOM)


def has_dataset(row: ModelRow) -> bool:
    """Whether a data set is chosen, as far as is known before the field is drawn."""
    return bool(st.session_state.get(f"dataset_{row.id}", intake.sample_dataset(row.origin)))


def add_dataset() -> None:
    """Upload a data set; it is opened later, by a worker, for the model that uses it."""
    file = st.file_uploader(
        "Data set",
        type=["npz", "zip", "csv", "tsv", "parquet"],
        key="dataset_file",
        help="An .npz, a zip with one folder of images for each class, or a table with a label column.",
    )
    label = st.text_input(
        "Label column or array", key="dataset_label", placeholder="found by itself when it is called label"
    )
    if file is not None and st.button("Keep it", key="keep_dataset", icon=":material/save:"):
        columns = {"label": label.strip()} if label.strip() else {}
        st.session_state.dataset_task = tasks.start(f"Keeping {file.name}", keeping(file, file.name, columns))
    task = tasks.find(st.session_state.get("dataset_task", ""))
    if task is not None and not task.done:
        tasks.follow(task.id)
    elif task is not None and task.reason:
        tasks.problem(task.reason, task.hint)
    elif task is not None:
        del st.session_state.dataset_task
        st.toast("The data set is ready to be chosen.", icon=":material/check_circle:")
        st.rerun()


def keeping(file: Any, name: str, columns: dict[str, str]) -> Callable[[Callable[[Event], None]], str]:
    """The background work of keeping one data set."""
    kept, database = settings(), store()

    def work(on_event: Callable[[Event], None]) -> str:
        with tempfile.TemporaryDirectory(prefix="browser-", dir=kept.uploads) as folder:
            path = Path(folder) / Path(name).name
            file.seek(0)
            with path.open("wb") as target:
                while chunk := file.read(1 << 20):
                    target.write(chunk)
            return intake.add_dataset(kept, database, path, columns=columns)

    return work
