"""The graph for people to read, which inspection can do without."""

from __future__ import annotations

from collections.abc import Callable

from engine.inspection.observe import last_line
from engine.model_graph import ModelGraph


def drawn(make: Callable[[], ModelGraph]) -> tuple[ModelGraph, tuple[str, ...]]:
    """The graph and no notes, or an empty graph and a note that says why: it never fails an inspection."""
    try:
        return make(), ()
    except Exception as error:  # a model's own code runs here, or a library reads a file of any kind
        return ModelGraph(), (f"Its graph can't be drawn: {type(error).__name__}: {last_line(error)}",)
