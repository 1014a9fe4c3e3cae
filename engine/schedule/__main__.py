"""`python -m engine.schedule`: the one scheduler of this host for one database."""

from __future__ import annotations

import signal
import sys

import filelock

from engine import settings
from engine.schedule.locks import scheduler_lock
from engine.schedule.scheduler import Scheduler
from engine.store import open_store

IDLE_EXIT_S = 900.0
LOCK_WAIT_S = 1.0


def main() -> int:
    """Carry out the queue until nothing came for a while; leave at once when another one does so."""
    known = settings.load()
    try:
        with scheduler_lock(known).acquire(timeout=LOCK_WAIT_S):
            store = open_store(known)
            scheduler = Scheduler(store)
            signal.signal(signal.SIGTERM, lambda *_: scheduler.stopping.set())
            signal.signal(signal.SIGINT, lambda *_: scheduler.stopping.set())
            scheduler.run(idle_s=IDLE_EXIT_S)
            store.close()
    except filelock.Timeout:
        print("Another scheduler is running.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
