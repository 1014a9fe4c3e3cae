"""Steps: conversions and compressions, one file each."""

from __future__ import annotations

import functools
import sys

from engine.plugin import entry_points, scan
from engine.steps.base import Step


@functools.cache
def all_steps() -> tuple[type[Step], ...]:
    """Every step class, ours first. Several may share one technique name."""
    theirs, _ = entry_points("optibench.steps", Step)
    return (*scan(sys.modules[__name__], Step), *theirs)


def steps_named(name: str) -> tuple[type[Step], ...]:
    """The classes that carry out one technique, for the formats they take."""
    return tuple(each for each in all_steps() if each.name == name)


def step_for(name: str, format: str) -> type[Step] | None:
    """The class that carries out a technique on one format, or None."""
    for each in steps_named(name):
        if format in each.formats:
            return each
    return None


def broken_plugins() -> dict[str, str]:
    """Third-party steps that could not be imported, with the error."""
    return entry_points("optibench.steps", Step)[1]
