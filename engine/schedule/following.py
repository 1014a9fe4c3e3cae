"""What a running phase says to the database, and what the database says to it."""

from __future__ import annotations

import threading
import time

from engine.store.queue import Queue
from engine.store.rows import PhaseRow
from engine.worker.protocol import Event

NOTE_S = 0.5
CANCEL_CHECK_S = 0.25


class Notes:
    """Keeps a worker's latest progress in the database, not more often than anyone can see.

    `behind` is how many steps of its route a build has behind it.
    """

    def __init__(self, queue: Queue, phase: PhaseRow) -> None:
        self.queue = queue
        self.phase = phase
        self.last = 0.0
        self.behind = 0

    def __call__(self, event: Event) -> None:
        self.behind = event.data.get("behind", self.behind)
        if not event.text or time.monotonic() < self.last + NOTE_S:
            return
        self.last = time.monotonic()
        self.queue.note(self.phase, event.fraction, event.text)


class Cancelled:
    """Asks now and then whether a phase has been cancelled, or the scheduler is to stop."""

    def __init__(self, queue: Queue, phase: PhaseRow, stopping: threading.Event) -> None:
        self.queue = queue
        self.phase = phase
        self.stopping = stopping
        self.last = 0.0

    def __call__(self) -> bool:
        if self.stopping.is_set():
            return True
        if time.monotonic() < self.last + CANCEL_CHECK_S:
            return False
        self.last = time.monotonic()
        return self.queue.cancelled(self.phase.comparison_id, self.phase.variant_id)
