"""What the tests on a GPU share: run an artifact in a runtime, and how far its outputs are from the reference's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from engine.artifact import Artifact
from engine.feeds import random_feeds
from engine.runtimes.base import Runtime, Session, Site
from engine.spec import ModelSpec


def expected(onnx_artifact: Artifact, feeds: dict[str, Any]) -> np.ndarray:
    """The first output of ONNX Runtime on the CPU."""
    session = onnxruntime.InferenceSession(str(onnx_artifact.path), providers=["CPUExecutionProvider"])
    output: np.ndarray = session.run(None, feeds)[0]
    return output


def once(session: Session, feeds: dict[str, Any]) -> np.ndarray:
    """The first output of one inference."""
    session.bind(feeds)
    session.run()
    session.synchronize()
    return session.fetch()[0]


def answer(
    runtime: Runtime, artifact: Artifact, spec: ModelSpec, site: Site, batch_size: int = 4
) -> tuple[np.ndarray, dict[str, Any], dict[str, Any]]:
    """Open, run once, close: the first output, the feeds and the session's details."""
    feeds = random_feeds(spec, batch_size, seed=1)
    session = runtime.open(artifact, spec, site)
    try:
        output = once(session, feeds)
        return output, feeds, dict(session.details)
    finally:
        session.close()


def relative_l2(output: np.ndarray, reference: np.ndarray) -> float:
    """The norm of the difference over the reference's."""
    assert output.shape == reference.shape
    return float(np.linalg.norm(output.astype(np.float64) - reference) / np.linalg.norm(reference))


def folder(path: Path, name: str) -> Path:
    """A fresh folder."""
    made = path / name
    made.mkdir()
    return made
