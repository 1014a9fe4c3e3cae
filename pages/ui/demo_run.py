"""Running an input through the Demo page's two variants in the background, and what came of it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

import streamlit as st

from engine.errors import OptibenchError
from engine.live.demo import Demo
from engine.live.worker import Answer
from engine.worker.jobs import ServeJob
from pages.ui import tasks
from pages.ui.context import settings
from pages.ui.demo import Pair
from pages.ui.demo_input import Chosen

MANY = 50
QUICK_S = 0.7
"""A run that takes no longer than this is waited for, so that the page does not flicker."""


@dataclass(frozen=True)
class Exchange:
    """What was asked last in this session, and what came of it."""

    pair: Pair
    chosen: Chosen
    answers: dict[str, Answer | OptibenchError]


@dataclass
class Desk:
    """The demo of one session of the page, and its last exchange."""

    demo: Demo
    last: Exchange | None = None


@st.cache_resource(scope="session", show_spinner=False, on_release=lambda desk: desk.demo.close())
def desk() -> Desk:
    """The session's own workers; they end with the session."""
    return Desk(Demo(settings()))


def buttons(*, enabled: bool) -> int:
    """How many calls the user asks for now; 0 for none."""
    running = tasks.running(st.session_state.get("demo_task", ""))
    with st.container(horizontal=True):
        once = st.button(
            "Run once", type="primary", icon=":material/play_arrow:", key="run_once", disabled=not enabled or running
        )
        many = st.button(f"Run {MANY}", icon=":material/repeat:", key="run_many", disabled=not enabled or running)
    return 1 if once else MANY if many else 0


def run(pair: Pair, jobs: dict[str, ServeJob], chosen: Chosen, calls: int) -> None:
    """Run the input in the background, and wait a moment for it."""
    stop, mine = threading.Event(), desk()
    question = replace(chosen.question, calls=calls)

    def work(on_event: tasks.OnEvent) -> str:
        answers = mine.demo.ask(jobs, question, image=chosen.image, on_event=on_event, cancelled=stop.is_set)
        mine.last = Exchange(pair, chosen, answers)
        return "answered"

    st.session_state.demo_task = tasks.start("Running both", work, stop)
    if tasks.wait(st.session_state.demo_task, QUICK_S):
        return
    st.rerun()


def progress() -> None:
    """Draw the run that is under way, or say why the last one gave nothing."""
    task = tasks.find(st.session_state.get("demo_task", ""))
    if task is None:
        return
    if not task.done:
        tasks.follow(task.id)
    else:
        del st.session_state.demo_task
        if task.reason:
            tasks.ended(task)


def last_exchange(pair: Pair, chosen: Chosen | None) -> Exchange | None:
    """The last exchange, where it was about these variants and this input."""
    last = desk().last
    if last is None or chosen is None or (last.pair.key, last.chosen) != (pair.key, chosen):
        return None
    return last
