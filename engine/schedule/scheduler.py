"""The scheduler: recovers after a crash, keeps leases alive, gives every device its lane."""

from __future__ import annotations

import platform
import threading
import time
import traceback

from engine.schedule.lane import Lane
from engine.schedule.recovery import owner_name, recover
from engine.store.queue import Queue
from engine.store.store import Store

RENEW_S = 5.0
IDLE_POLL_S = 0.1
BUSY_POLL_S = 0.5


class Scheduler:
    """Carries out the queue of one store on this host, one thread for each device.

    The threads live as long as the scheduler: a worker dies with the thread that started it.
    """

    def __init__(self, store: Store, *, host: str = "") -> None:
        self.store = store
        self.host = host or platform.node()
        self.queue = Queue(store, self.host, owner_name(self.host))
        self.stopping = threading.Event()
        self.lanes: dict[str, threading.Thread] = {}

    def run(self, *, idle_s: float | None = None) -> None:
        """Work until `stop`, or until there was nothing to do for `idle_s` seconds."""
        recover(self.queue)
        renewed = busy = time.monotonic()
        while not self.stopping.is_set():
            active = self.queue.active()
            now = time.monotonic()
            if active:
                busy = now
            elif idle_s is not None and now > busy + idle_s:
                break
            for device in {device for _, device in active}:
                self.open_lane(device)
            if now > renewed + RENEW_S:
                renewed = now
                self.queue.renew()
                recover(self.queue)
            self.stopping.wait(BUSY_POLL_S if active else IDLE_POLL_S)
        self.stop()

    def open_lane(self, device: str) -> None:
        """Start the thread of a device, once."""
        known = self.lanes.get(device)
        if known is not None and known.is_alive():
            return
        self.lanes[device] = threading.Thread(target=self.follow, args=(device,), name=f"lane {device}", daemon=True)
        self.lanes[device].start()

    def follow(self, device: str) -> None:
        """Carry out one device's phases, one after another."""
        lane = Lane(self.store, self.queue, device, self.stopping)
        while not self.stopping.is_set():
            try:
                worked = lane.step()
            except Exception:  # the database may be away for a moment; the log keeps why
                traceback.print_exc()
                worked = False
            if not worked:
                self.stopping.wait(IDLE_POLL_S)

    def stop(self) -> None:
        """Stop; what is running is ended and queued again."""
        self.stopping.set()
        for each in self.lanes.values():
            if each is not threading.current_thread():
                each.join()
