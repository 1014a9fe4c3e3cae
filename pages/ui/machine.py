"""What is known about this machine: devices, plugins, and the catalog of architectures."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

from engine.analysis import numbers
from engine.errors import PhaseFailed
from engine.settings import Settings
from engine.worker.jobs import ProbeJob
from engine.worker.launch import launch
from engine.worker.protocol import Event
from pages.ui import tasks
from pages.ui.context import settings

PROBE, CATALOG = "probe.json", "catalog.json"
UNKNOWN: dict[str, Any] = {"devices": [{"id": "cpu", "name": "this machine"}]}
MAX_AGE_S = 24 * 3600
TIMEOUT_S = 180.0


def known(name: str = PROBE) -> dict[str, Any] | None:
    """What was found out about this machine, or None when it was not, or too long ago."""
    path = settings().home / name
    if not path.exists() or time.time() - path.stat().st_mtime > MAX_AGE_S:
        return None
    value: dict[str, Any] = json.loads(path.read_text())
    return value


def forget() -> None:
    """Look again the next time."""
    for name in (PROBE, CATALOG):
        (settings().home / name).unlink(missing_ok=True)


def find_out(name: str = PROBE) -> dict[str, Any] | None:
    """What is known; else start finding out in the background, draw the progress and give None.

    A failed look is said, and leaves the processor alone as a device.
    """
    found = known(name)
    if found is not None:
        return found
    key = f"task_{name}"
    if key not in st.session_state:
        title = "Looking at this machine" if name == PROBE else "Listing architectures"
        # A thread has no page: the settings are taken along.
        st.session_state[key] = tasks.start(title, worker(settings(), name))
    task = tasks.find(st.session_state[key])
    if task is not None and task.reason:
        tasks.problem(task.reason, task.hint)
        return UNKNOWN
    if task is None or task.done:
        del st.session_state[key]
        return known(name)
    tasks.follow(task.id)
    return None


def worker(kept: Settings, name: str) -> Callable[[Callable[[Event], None]], str]:
    """The background work of one look at this machine."""

    def work(on_event: Callable[[Event], None]) -> str:
        with tempfile.TemporaryDirectory(prefix="probe-", dir=kept.jobs) as folder:
            outcome = launch(
                ProbeJob(catalog=name == CATALOG),
                Path(folder),
                timeout_s=TIMEOUT_S,
                on_event=on_event,
                readable=(kept.architectures,),
            )
        if outcome.status != "ok":
            raise PhaseFailed(outcome.status, outcome.reason, outcome.hint)
        partial = kept.home / f"{name}.partial"
        partial.write_text(json.dumps(outcome.value))
        partial.replace(kept.home / name)
        return name

    return work


def devices(found: dict[str, Any]) -> dict[str, str]:
    """The devices to choose from: id and name, GPUs first."""
    listed = {str(each["id"]): device_name(each) for each in found["devices"]}
    return dict(sorted(listed.items(), key=lambda item: item[0] == "cpu"))


def device_name(device: dict[str, Any]) -> str:
    """A device in a few words."""
    name = device.get("name") or device.get("gpu") or device.get("model") or device.get("cpu") or device["id"]
    return f"CPU · {name}" if device["id"] == "cpu" else f"GPU · {name}"


def facts_text(device: dict[str, Any]) -> str:
    """What else is known about a device, in one line."""
    skipped = ("id", "kind", "name", "gpu", "model", "unread")
    facts = {name: value for name, value in device.items() if name not in skipped and value not in (None, "", [], {})}
    return " · ".join(fact(name, value) for name, value in facts.items())


def fact(name: str, value: Any) -> str:
    """One fact in words; sizes are written as sizes."""
    if name.endswith("_bytes"):
        return f"{name.removesuffix('_bytes').replace('_', ' ')} {numbers.size(value)}"
    return f"{name.replace('_', ' ')} {value}"
