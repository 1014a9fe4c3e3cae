"""Adding a model: from a file, from the catalog with random weights, or a sample."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import streamlit as st

from engine import copying, intake
from engine.errors import BadInput
from engine.formats import all_formats
from engine.recipes import scalar, split
from engine.settings import Settings
from engine.spec import Scalar
from engine.store import Store
from engine.worker.protocol import Event
from pages.ui import machine, tasks
from pages.ui.context import choose, settings, store

Work = Callable[[Callable[[Event], None], Callable[[], bool]], str]
"""What adding a model does: it is given where progress goes and whether it was cancelled, and gives the model's id."""
EXTRA_SUFFIXES = ("zip", "bin", "ckpt", "pth", "tar")


def panel() -> None:
    """The three ways to add a model; `progress` draws the one that is under way."""
    upload, sample, catalog = st.tabs(
        [
            ":material/upload_file: Upload a file",
            ":material/rocket_launch: Use a sample",
            ":material/category: From the catalog",
        ]
    )
    with upload:
        upload_form()
    with sample:
        sample_form()
    with catalog:
        st.caption("Builds an architecture with settled random weights: right for speed, meaningless for accuracy.")
        architecture, arguments = architecture_fields("catalog")
        if st.button("Build it", key="build_random", disabled=not architecture, icon=":material/construction:"):
            begin(architecture, inspection(settings(), store(), None, "", architecture, arguments))


def upload_form() -> None:
    """The file, and the architecture that bare weights need."""
    limit = settings().upload_limit_mb
    file = st.file_uploader(
        "Model file",
        type=suffixes(),
        key="model_file",
        max_upload_size=limit,
        help="TorchScript, ONNX (also zipped with external data), an exported program (.pt2), or weights as "
        "safetensors or a state dict. Files are opened in a separate process only; full pickles are refused.",
    )
    weights = st.toggle(
        "Choose the architecture of these weights",
        key="bare_weights",
        help="Without this, the network is looked for by the names and shapes of the weights; with it, you choose "
        "which one they belong to. Either way pruning, distillation and every PyTorch path become possible.",
    )
    architecture, arguments = architecture_fields("upload") if weights else ("", "")
    if file is None:
        return
    ready = bool(architecture) or not weights
    fresh = st.session_state.get("inspected_file") != file.file_id and not weights
    if st.button("Inspect the file", key="inspect_file", type="primary", disabled=not ready) or fresh:
        st.session_state.inspected_file = file.file_id
        begin(file.name, inspection(settings(), store(), file, file.name, architecture, arguments))


def sample_form() -> None:
    """The bundled models, each with a button."""
    for card in intake.sample_cards():
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{card.get('title', card['name'])}**: {card.get('description', '')}", width="stretch")
            if st.button("Use it", key=f"sample_{card['name']}"):
                name = str(card["name"])
                begin(name, sample(settings(), store(), name))


def sample(kept: Settings, models: Store, name: str) -> Work:
    """The background work of opening a bundled model."""
    return lambda on_event, cancelled: intake.add_sample(kept, models, name, on_event=on_event, cancelled=cancelled)


def suffixes() -> list[str]:
    """What the file dialog offers; the engine goes by content."""
    found = {each.lstrip(".") for format in all_formats().values() if format.uploadable for each in format.suffixes}
    return sorted(found | set(EXTRA_SUFFIXES))


def architecture_fields(key: str) -> tuple[str, str]:
    """Architecture and its arguments; the catalog is listed in the background the first time."""
    found = machine.find_out(machine.CATALOG)
    names = [name for group in (found or {}).get("architectures", {}).values() for name in group]
    name = st.selectbox(
        "Architecture",
        names,
        index=None,
        key=f"architecture_{key}",
        accept_new_options=True,
        placeholder="Type to search, for example torchvision.resnet50",
    )
    arguments = st.text_input(
        "Arguments",
        key=f"arguments_{key}",
        placeholder="for example num_classes=10",
        help="What the architecture is called with, as name=value, separated by commas.",
    )
    return str(name or ""), arguments


def parse_arguments(text: str) -> dict[str, Scalar]:
    """Read `name=value, name=value`; raises BadInput."""
    found: dict[str, Scalar] = {}
    for part in filter(None, (each.strip() for each in split(text, ","))):
        name, equals, value = part.partition("=")
        if not equals or not name.strip().isidentifier():
            raise BadInput(f"{part!r} is not an argument.", "Write name=value, for example num_classes=10.")
        found[name.strip()] = scalar(value.strip())
    return found


def inspection(
    kept: Settings, models: Store, file: BinaryIO | None, name: str, architecture: str, arguments: str
) -> Work:
    """The background work of adding one model: file to disk in chunks, then a worker opens it."""

    def work(on_event: Callable[[Event], None], cancelled: Callable[[], bool]) -> str:
        values: dict[str, Any] = dict(parse_arguments(arguments))
        if file is None:
            return intake.inspect_upload(
                kept,
                None,
                name=architecture,
                architecture=architecture,
                arguments=values,
                on_event=on_event,
                store=models,
                cancelled=cancelled,
            )
        with tempfile.TemporaryDirectory(prefix="browser-", dir=kept.uploads) as folder:
            path = Path(folder) / Path(name).name
            file.seek(0)
            copying.write_chunks(file, path, cancelled)
            return intake.inspect_upload(
                kept,
                path,
                name=path.stem,
                architecture=architecture,
                arguments=values,
                on_event=on_event,
                store=models,
                cancelled=cancelled,
            )

    return work


def begin(title: str, work: Work) -> None:
    """Start adding a model; the URL remembers it, so that a reload shows the same progress."""
    stop = threading.Event()
    st.query_params["adding"] = tasks.start(f"Opening {title}", lambda on_event: work(on_event, stop.is_set), stop)


def progress() -> None:
    """Draw the model being added; when it is there, take it in hand."""
    task = tasks.find(st.query_params.get("adding", ""))
    if task is None:
        st.query_params.pop("adding", None)
        return
    if not task.done:
        tasks.follow(task.id)
        return
    if task.reason:
        tasks.ended(task)
        return
    del st.query_params["adding"]
    st.query_params.pop("add", None)
    choose("model", task.result)
    st.toast("The model is ready.", icon=":material/check_circle:")
    st.rerun()
