"""One device's work: phase after phase, each in a worker; builds that time nothing go side by side, and
the next one starts as soon as there is a place for it."""

from __future__ import annotations

import functools
import threading
import time
import traceback
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

import filelock

from engine.errors import OptibenchError
from engine.schedule.builds import MOST_SIDE_BY_SIDE, builds_to_start
from engine.schedule.following import CANCEL_CHECK_S, Cancelled, Notes
from engine.schedule.locks import device_lock
from engine.schedule.plan import TAKING_TURNS, alongside, wanted
from engine.schedule.taking import take
from engine.schedule.work import Work, environment_of, job_of
from engine.store.phases import Wanted
from engine.store.queue import Queue
from engine.store.rows import ComparisonState, PhaseRow
from engine.store.store import Store
from engine.worker.launch import launch
from engine.worker.protocol import Outcome
from engine.worker.turn import Company, Turn

LOCK_POLL_S = 0.05
LOOK_AGAIN_S = 0.5
"""How soon a build may follow a step of another one that it needs too."""
CANCELLED = Outcome("cancelled", {}, "Cancelled.", "Retry it from the Runs page.")


class Lane:
    """Carries out what comparisons need on one device, until it is told to stop."""

    def __init__(self, store: Store, queue: Queue, device: str, stopping: threading.Event) -> None:
        self.store = store
        self.queue = queue
        self.device = device
        self.stopping = stopping
        self.lock = device_lock(device)
        self.notes: dict[str, Notes] = {}

    def step(self) -> bool:
        """Carry out one phase of the oldest comparison that has one; False when there is nothing to do."""
        for id, device in self.queue.active():
            if device != self.device:
                continue
            state = self.store.state(id)
            plan = wanted(state)
            next_one = next(plan, None)
            if next_one is None:
                if self.close(state):
                    return True
                continue
            if state.comparison.state == "queued":
                self.queue.set_state(id, "running")
            together = builds_to_start(state, {}) if next_one.kind == "build" else alongside(next_one, plan)
            claimed = self.claim(id, together or [next_one])
            if claimed:
                self.carry_out(state, claimed)
                return True
        return False

    def claim(self, id: str, chosen: Iterable[Wanted]) -> list[tuple[PhaseRow, Wanted]]:
        """Take what nobody else has taken."""
        found = []
        for each in chosen:
            phase = self.queue.claim(id, each, self.device, self.store.settings.jobs)
            if phase is not None:
                found.append((phase, each))
        return found

    def close(self, state: ComparisonState) -> bool:
        """Finish a comparison that needs nothing more; False while another owner still works on it."""
        if any(each.state == "running" for each in state.phases):
            return False
        ended = all(each.cancelled for each in state.variants)
        self.queue.set_state(state.comparison.id, "cancelled" if ended else "finished")
        return True

    def carry_out(self, state: ComparisonState, claimed: list[tuple[PhaseRow, Wanted]]) -> None:
        """Run phases side by side while holding the device; each ends done or queued again."""
        phases = [phase for phase, _ in claimed]
        try:
            holding = self.hold(phases)
        except BaseException:  # a device that can't be locked leaves them to the recovery
            for phase in phases:
                self.queue.let_go(phase)
            raise
        try:
            if holding and phases[0].kind == "build":
                self.build(state, claimed)
            else:
                self.side_by_side(state, claimed, holding)
        finally:
            if holding:
                self.lock.release()

    def side_by_side(self, state: ComparisonState, claimed: list[tuple[PhaseRow, Wanted]], holding: bool) -> None:
        """Run phases together, and wait for all of them."""
        turns = self.turns(state, claimed)
        workers = [
            threading.Thread(target=self.run_one, args=(state, *each, holding, turn), name=each[0].id)
            for each, turn in zip(claimed, turns, strict=True)
        ]
        for each in workers:
            each.start()
        for each in workers:
            each.join()

    def build(self, state: ComparisonState, claimed: list[tuple[PhaseRow, Wanted]]) -> None:
        """Run builds, and whatever can start beside them or in their places, until nothing is left to start."""
        running: set[Future[None]] = set()
        seen: dict[str, int] = {}
        with ThreadPoolExecutor(MOST_SIDE_BY_SIDE) as pool:
            while claimed or running:
                running |= {pool.submit(self.run_one, state, *each, True, None) for each in claimed}
                ended, running = wait(running, timeout=LOOK_AGAIN_S, return_when=FIRST_COMPLETED)
                for each in ended:
                    each.result()
                claimed = []
                behind = {id: each.behind for id, each in dict(self.notes).items()}  # workers come and go
                if not ended and behind == seen:
                    continue
                seen = behind
                state = self.store.state(state.comparison.id)
                chosen = [] if self.stopping.is_set() else builds_to_start(state, behind)
                claimed = self.claim(state.comparison.id, chosen)

    def turns(self, state: ComparisonState, claimed: list[tuple[PhaseRow, Wanted]]) -> Sequence[Turn | None]:
        """One turn for each phase that measures; the others wait for nobody."""
        if claimed[0][1].kind not in TAKING_TURNS:
            return [None] * len(claimed)
        company = Company(len(claimed))
        id = state.comparison.id
        return [company.turn(i, functools.partial(self.still, id, each)) for i, (_, each) in enumerate(claimed)]

    def still(self, id: str, planned: Wanted) -> bool:
        """Whether a phase is still to be done after what the ones before it gave."""
        return any(each.key == planned.key for each in wanted(self.store.state(id)))

    def run_one(
        self, state: ComparisonState, phase: PhaseRow, planned: Wanted, holding: bool, turn: Turn | None
    ) -> None:
        """Run one phase and keep what it gave; what even that can't end is left to the recovery."""
        try:
            self.run_and_keep(state, phase, planned, holding, turn)
        finally:
            self.queue.let_go(phase)
            self.notes.pop(phase.id, None)
            if turn is not None:
                turn.over()

    def run_and_keep(
        self, state: ComparisonState, phase: PhaseRow, planned: Wanted, holding: bool, turn: Turn | None
    ) -> None:
        """Run one phase; every way it can end leaves it done or queued."""
        try:
            outcome = self.launched(Work(self.store, state, phase, planned.position), turn) if holding else CANCELLED
            taken = take(phase, outcome)
            if taken.outcome.status == "cancelled" and not self.unwanted(phase):
                self.queue.requeue(phase)
                return
        except OptibenchError as error:
            taken = take(phase, Outcome(error.status, {}, error.reason, error.hint))  # type: ignore[arg-type]
        except Exception as error:  # a bug of ours must not stop the queue or leave a phase running
            traceback.print_exc()
            reason = f"The scheduler failed: {type(error).__name__}: {error}"
            taken = take(phase, Outcome("failed", {}, reason, "This is a bug; the scheduler's log has the details."))
        self.queue.finish(phase, taken)
        if phase.kind == "prepare" and taken.outcome.status == "ok":
            self.queue.set_dataset(phase.comparison_id, taken.outcome.value)

    def hold(self, phases: list[PhaseRow]) -> bool:
        """Wait for other schedulers on this host and take the device; False when nobody wants it any more."""
        waiting = False
        began = time.monotonic()
        while True:
            try:
                self.lock.acquire(timeout=CANCEL_CHECK_S, poll_interval=LOCK_POLL_S)
                break
            except filelock.Timeout:
                if self.stopping.is_set() or all(self.unwanted(each) for each in phases):
                    return False
                if not waiting:
                    for each in phases:
                        self.queue.note(each, None, "Waiting for another measurement on this machine")
                    waiting = True
        if waiting:
            self.queue.waited(phases[0], time.monotonic() - began)
        return True

    def launched(self, work: Work, turn: Turn | None) -> Outcome:
        """Run a phase in a worker."""
        notes = self.notes[work.phase.id] = Notes(self.queue, work.phase)
        return launch(
            job_of(work),
            work.phase.folder,
            timeout_s=work.workload.timeout_s,
            on_event=notes,
            cancelled=Cancelled(self.queue, work.phase, self.stopping),
            environment=environment_of(work.workload, work.phase.kind),
            writable=shared_caches(work),
            turn=turn,
        )

    def unwanted(self, phase: PhaseRow) -> bool:
        """Whether the user cancelled what this phase is for."""
        return self.queue.cancelled(phase.comparison_id, phase.variant_id)


def shared_caches(work: Work) -> tuple[Path, ...]:
    """What a phase may write besides the folders its job names: a profile keeps the device's ceilings."""
    return (work.store.settings.artifacts / "caches",) if work.phase.kind == "profile" else ()
