"""Sessions without a model, for the clock."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.runtimes.base import Session


class Sleeper(Session):
    """`run` takes a while to enqueue; `synchronize` waits until everything enqueued is over."""

    def __init__(self, enqueue_s: float = 0.0001, compute_s: float = 0.001) -> None:
        super().__init__()
        self.enqueue_s, self.compute_s = enqueue_s, compute_s
        self.events: list[str] = []
        self.waiting = 0
        self.deepest = 0

    def bind(self, feeds: Mapping[str, Any]) -> None:
        self.events.append("bind")

    def run(self) -> None:
        self.events.append("run")
        self.waiting += 1
        self.deepest = max(self.deepest, self.waiting)
        time.sleep(self.enqueue_s)

    def synchronize(self) -> None:
        self.events.append("synchronize")
        time.sleep(self.compute_s * self.waiting)
        self.waiting = 0

    def fetch(self) -> list[np.ndarray]:
        self.events.append("fetch")
        return [np.zeros(1)]


class OwnClock(Sleeper):
    """A session that times itself, as one in another process does."""

    def time_calls(self, calls: int, *, end_to_end: bool = False) -> tuple[list[int], list[int]] | None:
        return [3000 if end_to_end else 1000] * calls, [10] * calls
