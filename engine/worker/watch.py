"""Follow a worker from its start to its end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from engine.worker.protocol import CANCEL, RESULT, Event, read_events
from engine.worker.turn import LOOK_S, Turn

GRACE_S = 5.0
READY_POLL_S = 0.02


@dataclass
class Watch:
    """Follows one worker. `began` is when its work began, `held_back_s` what it took to be ready for its turn."""

    folder: Path
    timeout_s: float
    on_event: Callable[[Event], None] | None = None
    cancelled: Callable[[], bool] | None = None
    turn: Turn | None = None
    began: float = field(default_factory=time.monotonic)
    held_back_s: float = 0.0
    seen: int = 0
    asked_at: float | None = None

    def follow(self, process: subprocess.Popen[bytes]) -> str:
        """Follow a worker to its end; returns `exited`, `timeout` or `cancelled`."""
        if self.turn is not None and not self.await_turn(process, self.turn):
            kill(process)
            self.began = time.monotonic()  # it did no work
            return "cancelled"
        pause = 0.01
        while True:
            running = process.poll() is None
            self.pass_events_on()
            if not running or (self.folder / RESULT).exists():
                finish(process)
                return "cancelled" if self.asked_at and not (self.folder / RESULT).exists() else "exited"
            now = time.monotonic()
            if now > self.began + self.timeout_s:
                kill(process)
                return "timeout"
            if self.cancelled and self.asked_at is None and self.cancelled():
                self.asked_at = now
                (self.folder / CANCEL).touch()
            if self.asked_at is not None and now > self.asked_at + GRACE_S:
                kill(process)
                return "cancelled"
            try:
                process.wait(pause)
            except subprocess.TimeoutExpired:
                pause = min(pause * 1.5, 0.1)

    def await_turn(self, process: subprocess.Popen[bytes], turn: Turn) -> bool:
        """Hold a worker back until it is ready and its turn has come; False when it is no longer wanted."""
        ready = False
        while not turn.wait(LOOK_S if ready else READY_POLL_S):
            if not ready and (process.poll() is not None or self.is_ready()):
                ready = True
                self.held_back_s = time.monotonic() - self.began
                turn.ready()
            if self.cancelled and self.cancelled():
                return False
            if not ready and time.monotonic() > self.began + self.timeout_s:
                return True  # the clock that follows says so
        self.began = time.monotonic() if ready else self.began
        if not turn.wanted():
            return False
        turn.give()
        return True

    def is_ready(self) -> bool:
        """Whether the worker said that it waits for its turn."""
        return any(each.data.get("ready") for each in self.pass_events_on())

    def pass_events_on(self) -> list[Event]:
        """Hand on the events that are new."""
        events = list(read_events(self.folder, self.seen))
        self.seen += len(events)
        for each in events if self.on_event else ():
            self.on_event(each)  # type: ignore[misc]
        return events


def finish(process: subprocess.Popen[bytes]) -> None:
    """Let a worker that has written its result leave; help it after a while."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_S)
    kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a worker and everything it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
