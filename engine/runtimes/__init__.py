"""Runtimes: what runs an artifact, one file each."""

from __future__ import annotations

import functools
import sys

from engine.plugin import entry_points, scan
from engine.runtimes.base import Runtime


@functools.cache
def all_runtimes() -> dict[str, type[Runtime]]:
    """Every runtime by name, ours first."""
    theirs, _ = entry_points("optibench.runtimes", Runtime)
    return {each.name: each for each in (*scan(sys.modules[__name__], Runtime), *theirs)}


def broken_plugins() -> dict[str, str]:
    """Third-party runtimes that could not be imported, with the error."""
    return entry_points("optibench.runtimes", Runtime)[1]
