"""The queue's executor: one scheduler per host carries out what comparisons still need."""

from __future__ import annotations

from engine.settings import Settings


def ensure_running(settings: Settings) -> None:
    """Start the scheduler of these settings as a process of its own, if none is running."""
    from engine.schedule.locks import scheduler_is_running

    if scheduler_is_running(settings):
        return
    from engine.schedule.spawn import spawn

    spawn(settings)
