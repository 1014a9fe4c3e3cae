"""The workers of one demo: opened when they are first asked, ended when nobody asks any more.

A thread of its own, the keeper, starts them, talks to them and ends them: after a minute without a
question, as soon as something is measured on their device, and when the demo is closed. It lives as
long as they do, because the kernel ends a worker with the thread that started it.
"""

from __future__ import annotations

import queue
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from engine.errors import OptibenchError, PhaseFailed
from engine.live.device import device
from engine.live.folders import new_folder, sweep
from engine.live.worker import Answer, Asked, LiveWorker
from engine.settings import Settings
from engine.worker.jobs import ServeJob
from engine.worker.protocol import Event
from engine.worker.serving import Question

IDLE_S = 60.0
LOOK_S = 1.0
T = TypeVar("T")


class Demo:
    """Runs the same input through a few variants, one after another."""

    def __init__(self, settings: Settings, *, idle_s: float = IDLE_S) -> None:
        self.settings = settings
        self.idle_s = idle_s
        self.workers: dict[str, LiveWorker] = {}
        self.waiting: queue.Queue[Asked | None] = queue.Queue()
        self.changing = threading.Lock()
        self.closing = threading.Event()
        self.keeper: threading.Thread | None = None
        sweep(settings.jobs)

    def ask(
        self,
        jobs: dict[str, ServeJob],
        question: Question,
        *,
        image: bytes = b"",
        on_event: Callable[[Event], None] = lambda event: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> dict[str, Answer | OptibenchError]:
        """The answer of each variant, or why it has none; workers of other variants are ended.

        Raises PhaseFailed when it was cancelled or something is being measured on the device.
        """
        asked = Asked(jobs, question, image, on_event, lambda: cancelled() or self.closing.is_set())
        with self.changing:
            self.closing.clear()
            self.waiting.put(asked)
            if self.keeper is None:
                self.keeper = threading.Thread(target=self.keep, daemon=True, name="live-keeper")
                self.keeper.start()
        return asked.answers.result()

    def close(self) -> None:
        """End all workers, also in the middle of a question; a later question opens them again."""
        with self.changing:
            keeper = self.keeper
            if keeper is None:
                return
            self.closing.set()
            self.waiting.put(None)
        keeper.join()

    def keep(self) -> None:
        """The keeper: answer what is asked until nobody asks any more, and leave nobody waiting."""
        try:
            self.answer_all()
        finally:
            if self.keeper is threading.current_thread():
                self.give_up()

    def answer_all(self) -> None:
        """Answer question after question, and return when nobody asks any more."""
        last = time.monotonic()
        while True:
            asked = self.next_one()
            if asked is not None:
                try:
                    asked.answers.set_result(self.answer(asked))
                except BaseException as error:
                    asked.answers.set_exception(error)
                last = time.monotonic()
            elif not self.wanted(last) and self.left():
                return

    def next_one(self) -> Asked | None:
        """The next question, or None when there is none for a while or the demo is being closed."""
        try:
            return self.waiting.get(timeout=min(LOOK_S, self.idle_s))
        except queue.Empty:
            return None

    def left(self) -> bool:
        """End all workers and let the keeper go; False when somebody asked in this very moment."""
        with self.changing:
            if not self.waiting.empty():
                return False
            self.end(set(self.workers))
            self.keeper = None
            return True

    def give_up(self) -> None:
        """After an error of the keeper itself: end all workers and answer whoever waits."""
        with self.changing:
            self.keeper = None
            self.end(set(self.workers))
            while not self.waiting.empty():
                asked = self.waiting.get()
                if asked is not None:
                    asked.answers.set_exception(
                        PhaseFailed("crashed", "The demo stopped by an error.", "Run it again.")
                    )

    def wanted(self, last: float) -> bool:
        """Whether open workers should stay: someone asked lately, and nothing is measured beside them."""
        if self.closing.is_set() or time.monotonic() - last > self.idle_s:
            return False
        return not any(
            device(name).measured_on() for name in {each.job.workload.device for each in self.workers.values()}
        )

    def answer(self, asked: Asked) -> dict[str, Answer | OptibenchError]:
        """Open what is not open, then run the input through each variant in turn.

        All are open before the first is asked, so that loading one is not in the times of another.
        """
        (name,) = {each.workload.device for each in asked.jobs.values()}
        same = {key for key, each in self.workers.items() if each.alive() and each.job == asked.jobs.get(key)}
        self.end(set(self.workers) - same)
        with device(name).held(asked.cancelled):
            errors = self.each(asked, [key for key in asked.jobs if key not in same], self.start)[1]
            opening = [key for key in self.workers if key not in same]
            errors |= self.each(asked, opening, self.open)[1]
            answers, more = self.each(asked, [key for key in asked.jobs if key not in errors], self.run)
        return {key: answers[key] if key in answers else {**errors, **more}[key] for key in asked.jobs}

    def each(
        self, asked: Asked, keys: Sequence[str], act: Callable[[str, Asked], T]
    ) -> tuple[dict[str, T], dict[str, OptibenchError]]:
        """What an act gave for some variants, and the errors of the others; a dead worker is cleared away.

        Raises PhaseFailed when the user cancelled, and then no worker is left.
        """
        done: dict[str, T] = {}
        errors: dict[str, OptibenchError] = {}
        for key in keys:
            try:
                done[key] = act(key, asked)
            except OptibenchError as error:
                errors[key] = error
            if key in self.workers and not self.workers[key].alive():
                self.end({key})
        if asked.cancelled():
            self.end(set(self.workers))
            raise PhaseFailed("cancelled", "Cancelled.", "Run it again.")
        return done, errors

    def start(self, key: str, asked: Asked) -> None:
        """Start the worker of one variant."""
        folder = new_folder(self.settings.jobs)
        try:
            self.workers[key] = LiveWorker(asked.jobs[key], folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def open(self, key: str, asked: Asked) -> None:
        """Wait until one variant is open."""
        self.workers[key].opened(asked)

    def run(self, key: str, asked: Asked) -> Answer:
        """Run the input through one variant."""
        return self.workers[key].ask(asked)

    def end(self, keys: Iterable[str]) -> None:
        """End some workers."""
        for key in keys:
            self.workers.pop(key).close()
