"""Workers that start side by side and work one after another.

Starting an interpreter and importing libraries takes seconds and disturbs what is being timed, so
the workers of the next turns import together while nothing is measured, and each then waits for its
turn in a lock on a file of its own folder: a process that waits for a lock costs nothing. The parent
writes into that file when it gives the turn: a lock that opens on an empty file was let go by a
parent that died, and then nothing may start.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable
from pathlib import Path

TURN = "turn.lock"
LOOK_S = 0.25
GIVEN = b"given"


def await_turn(folder: Path) -> bool:
    """The worker's side: wait until the parent gives the turn; at once where nobody holds it back.

    False when the parent died without giving it.
    """
    path = folder / TURN
    if not path.exists():
        return True
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        return file.read() == GIVEN


def held_back(folder: Path) -> bool:
    """Whether the worker of this folder was never given its turn."""
    path = folder / TURN
    return path.exists() and path.read_bytes() != GIVEN


class Company:
    """The parent's side: a few workers, of which the next starts to work when all are ready or gone."""

    def __init__(self, count: int) -> None:
        self.changed = threading.Condition()
        self.starting = set(range(count))
        self.working = list(range(count))

    def turn(self, index: int, wanted: Callable[[], bool]) -> Turn:
        """The turn of one worker; `wanted` says whether what came before has left it anything to do."""
        return Turn(self, index, wanted)


class Turn:
    """One worker's turn: held back from `hold` on, until `give`."""

    def __init__(self, company: Company, index: int, wanted: Callable[[], bool]) -> None:
        self.company = company
        self.index = index
        self.wanted = wanted
        self.lock: int | None = None

    def hold(self, folder: Path) -> None:
        """Make the worker of this folder wait."""
        self.lock = os.open(folder / TURN, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        fcntl.flock(self.lock, fcntl.LOCK_EX)

    def ready(self) -> None:
        """This worker has imported everything."""
        with self.company.changed:
            self.company.starting.discard(self.index)
            self.company.changed.notify_all()

    def wait(self, seconds: float = LOOK_S) -> bool:
        """Whether it is this worker's turn, waiting for it so long at most."""
        with self.company.changed:
            return self.company.changed.wait_for(self.has_come, seconds)

    def has_come(self) -> bool:
        """Whether all are ready and those before are over."""
        return not self.company.starting and self.company.working[:1] == [self.index]

    def give(self) -> None:
        """Let the worker go on."""
        if self.lock is not None:
            os.write(self.lock, GIVEN)
            self.let_go()

    def let_go(self) -> None:
        """Release the lock; a worker that still waits for it leaves."""
        if self.lock is not None:
            os.close(self.lock)
            self.lock = None

    def over(self) -> None:
        """This worker has ended, or never began: the next may go on."""
        self.let_go()
        with self.company.changed:
            self.company.starting.discard(self.index)
            if self.index in self.company.working:
                self.company.working.remove(self.index)
            self.company.changed.notify_all()
