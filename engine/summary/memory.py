"""Figures that were computed once: a running comparison is summarised again after every phase.

A key names the measurements a figure was made from; those never change, so the figure never does.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TypeVar

T = TypeVar("T")
MOST = 50_000


class Memory:
    """The latest figures by key, shared by all threads of this process."""

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self.known: OrderedDict[Hashable, object] = OrderedDict()
        self.lock = threading.Lock()

    def recall(self, key: Hashable, compute: Callable[[], T]) -> T:
        """The figure under `key`, computed when it is not known."""
        with self.lock:
            if key in self.known:
                self.known.move_to_end(key)
                return self.known[key]  # type: ignore[return-value]
        value = compute()
        with self.lock:
            self.known[key] = value
            while len(self.known) > self.most:
                self.known.popitem(last=False)
        return value


figures = Memory()
