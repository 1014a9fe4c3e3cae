"""Work that a page starts and must not wait for: inspecting an upload, looking at this machine.

A task runs in a thread of the server, which itself waits for a worker process. Its state lies in
one registry, so that a reload or a second tab shows the same.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

import streamlit as st

from engine.errors import OptibenchError
from engine.worker.protocol import Event
from pages.ui.badges import plain

POLL_S = 0.5
WAIT_POLL_S = 0.02
KEPT = 200
OnEvent = Callable[[Event], None]


@dataclass
class Task:
    """One piece of background work; written by its thread, read by pages.

    `stop` is what the work looks at to be cancelled, or None where it can't be.
    """

    id: str
    title: str
    stop: threading.Event | None = None
    text: str = "Starting"
    fraction: float | None = None
    result: str = ""
    reason: str = ""
    hint: str = ""
    done: bool = False
    started: float = field(default_factory=time.monotonic)

    @property
    def cancelled(self) -> bool:
        """Whether the user asked to stop it."""
        return self.stop is not None and self.stop.is_set()

    def on_event(self, event: Event) -> None:
        """Take in a sign of progress."""
        self.text = event.text or self.text
        self.fraction = event.fraction if event.fraction is not None else self.fraction


@st.cache_resource(show_spinner=False)
def registry() -> dict[str, Task]:
    """Every task of this server."""
    return {}


def start(title: str, work: Callable[[Callable[[Event], None]], str], stop: threading.Event | None = None) -> str:
    """Run `work(on_event)` in a thread; it returns the task's result, such as a model's id.

    With `stop`, its progress has a button that sets it, and the work ends early.
    """
    task = Task(uuid.uuid4().hex[:12], title, stop)
    known = registry()
    for old in [each.id for each in known.values() if each.done][:-KEPT]:
        del known[old]
    known[task.id] = task
    threading.Thread(target=carry_out, args=(task, work), daemon=True, name=f"task-{task.id}").start()
    return task.id


def carry_out(task: Task, work: Callable[[Callable[[Event], None]], str]) -> None:
    """Do the work and keep how it ended; what was not foreseen is a sentence too, never a traceback."""
    try:
        task.result = work(task.on_event)
    except OptibenchError as error:
        task.reason, task.hint = error.reason, error.hint
    except Exception as error:
        task.reason = f"Something went wrong that should not: {type(error).__name__}: {error}"
        task.hint = "Try again; if it happens again, report it with the server's log."
    finally:
        task.done = True


def wait(id: str, seconds: float) -> bool:
    """Whether a task is done, waiting for it so long at most."""
    deadline = time.monotonic() + seconds
    while running(id) and time.monotonic() < deadline:
        time.sleep(WAIT_POLL_S)
    return not running(id)


def running(id: str) -> bool:
    """Whether there is such a task and it is not done."""
    task = find(id)
    return task is not None and not task.done


def find(id: str) -> Task | None:
    """A task by its id."""
    return registry().get(id)


@st.fragment(run_every=POLL_S)
def follow(id: str) -> None:
    """Draw a running task; when it is done, run the whole page again."""
    task = find(id)
    if task is None or task.done:
        st.rerun()
        return
    elapsed = time.monotonic() - task.started
    said = "cancelling" if task.cancelled else f"{task.text[:1].lower()}{task.text[1:]}"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.progress(min(1.0, task.fraction or 0.0), text=f"{task.title}: {said} · {elapsed:.0f} s", width="stretch")
        if task.stop is not None:
            st.button(
                "Cancel",
                key=f"cancel_{task.id}",
                icon=":material/cancel:",
                on_click=task.stop.set,
                disabled=task.cancelled,
            )


def ended(task: Task) -> None:
    """Say why a task gave no result: it failed, or the user cancelled it."""
    if task.cancelled:
        st.info(f"{plain(task.reason)} {plain(task.hint)}".strip(), icon=":material/cancel:")
    else:
        problem(task.reason, task.hint)


def problem(reason: str, hint: str = "") -> None:
    """One sentence and a next step."""
    st.error(f"{plain(reason)} {plain(hint)}".strip(), icon=":material/error:")
