"""Who may use a device right now: a demo never runs beside a measurement."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import filelock

from engine.errors import PhaseFailed
from engine.schedule.locks import device_lock

WAIT_S = 1.0
POLL_S = 0.05


class Device:
    """The lock of one device as all demos of this process share it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.ours = threading.Lock()
        self.lock = device_lock(name)

    @contextmanager
    def held(self, cancelled: Callable[[], bool]) -> Iterator[None]:
        """Hold the device for one question; raises PhaseFailed when something is being measured on it."""
        while not self.ours.acquire(timeout=POLL_S):
            if cancelled():
                raise PhaseFailed("cancelled", "Cancelled.", "Run it again.")
        try:
            try:
                self.lock.acquire(timeout=WAIT_S, poll_interval=POLL_S)
            except filelock.Timeout as error:
                raise PhaseFailed(
                    "cancelled",
                    f"A measurement is running on {self.name}, and a demo would disturb it.",
                    "Run it when the measurement is over; the Runs page shows how far it is.",
                ) from error
            try:
                yield
            finally:
                self.lock.release()
        finally:
            self.ours.release()

    def measured_on(self) -> bool:
        """Whether another process holds the device, which is then measuring."""
        if not self.ours.acquire(blocking=False):
            return False
        try:
            self.lock.acquire(timeout=0)
        except filelock.Timeout:
            return True
        else:
            self.lock.release()
            return False
        finally:
            self.ours.release()


@functools.cache
def device(name: str) -> Device:
    """The one Device of this process with this name."""
    return Device(name)
