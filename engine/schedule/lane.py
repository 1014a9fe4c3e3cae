"""One device's work: phase after phase, each in a worker, one at a time."""

from __future__ import annotations

import threading
import time
import traceback

import filelock

from engine.errors import OptibenchError
from engine.schedule.locks import device_lock
from engine.schedule.plan import wanted
from engine.schedule.taking import take
from engine.schedule.work import Work, environment_of, job_of
from engine.store.phases import Wanted
from engine.store.queue import Queue
from engine.store.rows import ComparisonState, PhaseRow
from engine.store.store import Store
from engine.worker.launch import launch
from engine.worker.protocol import Event, Outcome

NOTE_S = 0.5
CANCEL_CHECK_S = 0.25
LOCK_POLL_S = 0.05


class Lane:
    """Carries out what comparisons need on one device, until it is told to stop."""

    def __init__(self, store: Store, queue: Queue, device: str, stopping: threading.Event) -> None:
        self.store = store
        self.queue = queue
        self.device = device
        self.stopping = stopping
        self.lock = device_lock(device)

    def step(self) -> bool:
        """Carry out one phase of the oldest comparison that has one; False when there is nothing to do."""
        for id, device in self.queue.active():
            if device != self.device:
                continue
            state = self.store.state(id)
            next_one = next(wanted(state), None)
            if next_one is None:
                if self.close(state):
                    return True
                continue
            phase = self.queue.claim(id, next_one, device, self.store.settings.jobs)
            if phase is not None:
                self.carry_out(state, phase, next_one)
                return True
        return False

    def close(self, state: ComparisonState) -> bool:
        """Finish a comparison that needs nothing more; False while another owner still works on it."""
        if any(each.state == "running" for each in state.phases):
            return False
        ended = all(each.cancelled for each in state.variants)
        self.queue.set_state(state.comparison.id, "cancelled" if ended else "finished")
        return True

    def carry_out(self, state: ComparisonState, phase: PhaseRow, planned: Wanted) -> None:
        """Run one phase and keep what it gave; every way it can end leaves the phase done or queued."""
        if state.comparison.state == "queued":
            self.queue.set_state(state.comparison.id, "running")
        try:
            outcome = self.locked(Work(self.store, state, phase, planned.position))
            if outcome.status == "cancelled" and self.stopping.is_set() and not self.unwanted(phase):
                self.queue.requeue(phase)
                return
            taken = take(phase, outcome)
        except OptibenchError as error:
            taken = take(phase, Outcome(error.status, {}, error.reason, error.hint))  # type: ignore[arg-type]
        except Exception as error:  # a bug of ours must not stop the queue or leave a phase running
            traceback.print_exc()
            reason = f"The scheduler failed: {type(error).__name__}: {error}"
            taken = take(phase, Outcome("failed", {}, reason, "This is a bug; the scheduler's log has the details."))
        self.queue.finish(phase, taken)
        if phase.kind == "prepare" and taken.outcome.status == "ok":
            self.queue.set_dataset(phase.comparison_id, taken.outcome.value)

    def locked(self, work: Work) -> Outcome:
        """Run a phase while holding its device; waits for other schedulers on this host."""
        job = job_of(work)
        waiting = False
        began = time.monotonic()
        while True:
            try:
                self.lock.acquire(timeout=CANCEL_CHECK_S, poll_interval=LOCK_POLL_S)
                break
            except filelock.Timeout:
                if self.stopping.is_set() or self.unwanted(work.phase):
                    return Outcome("cancelled", {}, "Cancelled.", "Retry it from the Runs page.")
                if not waiting:
                    self.queue.note(work.phase, None, "Waiting for another measurement on this machine")
                    waiting = True
        try:
            phase = work.phase
            if waiting:
                self.queue.waited(phase, time.monotonic() - began)
            return launch(
                job,
                phase.folder,
                timeout_s=work.workload.timeout_s,
                on_event=Notes(self.queue, phase),
                cancelled=Cancelled(self, phase),
                environment=environment_of(work.workload),
            )
        finally:
            self.lock.release()

    def unwanted(self, phase: PhaseRow) -> bool:
        """Whether the user cancelled what this phase is for."""
        return self.queue.cancelled(phase.comparison_id, phase.variant_id)


class Notes:
    """Keeps a worker's latest progress in the database, not more often than anyone can see."""

    def __init__(self, queue: Queue, phase: PhaseRow) -> None:
        self.queue = queue
        self.phase = phase
        self.last = 0.0

    def __call__(self, event: Event) -> None:
        if not event.text or time.monotonic() < self.last + NOTE_S:
            return
        self.last = time.monotonic()
        self.queue.note(self.phase, event.fraction, event.text)


class Cancelled:
    """Asks now and then whether a phase is still wanted."""

    def __init__(self, lane: Lane, phase: PhaseRow) -> None:
        self.lane = lane
        self.phase = phase
        self.last = 0.0

    def __call__(self) -> bool:
        if self.lane.stopping.is_set():
            return True
        if time.monotonic() < self.last + CANCEL_CHECK_S:
            return False
        self.last = time.monotonic()
        return self.lane.unwanted(self.phase)
