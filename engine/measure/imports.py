"""How long importing libraries took, apart from loading the model."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any


@dataclass
class ImportTime:
    """Seconds spent in import statements so far; nested imports are counted once."""

    seconds: float = 0.0


@contextmanager
def import_clock() -> Iterator[ImportTime]:
    """Add up the time of every import statement inside the block.

    A runtime imports its libraries where it opens an artifact; this tells the two apart without
    asking every runtime to import in a place of its own.
    """
    spent = ImportTime()
    original = builtins.__import__
    depth = 0

    def clocked(*arguments: Any, **keywords: Any) -> Any:
        nonlocal depth
        if depth:
            return original(*arguments, **keywords)
        depth += 1
        began = perf_counter()
        try:
            return original(*arguments, **keywords)
        finally:
            depth -= 1
            spent.seconds += perf_counter() - began

    builtins.__import__ = clocked
    try:
        yield spent
    finally:
        builtins.__import__ = original
