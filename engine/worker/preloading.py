"""Import what opening an artifact will need, before the worker's turn comes."""

from __future__ import annotations

import traceback
from pathlib import Path
from time import perf_counter

from engine.artifact import read_manifest
from engine.errors import OptibenchError
from engine.formats import all_formats
from engine.runtimes import all_runtimes
from engine.spec import Use


def preload(artifact_folder: str, runtime: Use) -> float:
    """Import the libraries of a runtime and of an artifact's format; returns the seconds it took.

    Touches no device. Nothing is judged here: what is missing or broken is told when it is opened.
    """
    began = perf_counter()
    known = all_runtimes().get(runtime.name)
    try:
        artifact = read_manifest(Path(artifact_folder))
        if known is not None and known.missing() is None:
            known.preload()
            format = all_formats().get(artifact.format)
            if format is not None:
                format.preload(artifact)
    except (OptibenchError, ImportError, OSError):
        traceback.print_exc()
    return perf_counter() - began
