"""Models as the data reader sees them, and small files to read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.artifact import Artifact, write_manifest
from engine.data.prepared import Prepared, load
from engine.spec import ModelSpec, Preprocessing, TensorSpec
from engine.worker.jobs import PrepareJob
from engine.worker.phases import prepare
from engine.worker.protocol import Reporter

Prepare = Callable[..., Prepared]


def image_model(classes: int = 3, **preprocessing: Any) -> ModelSpec:
    """A classifier of 1×8×8 images."""
    return ModelSpec(
        name="images",
        format="onnx",
        inputs=(TensorSpec("pixels", "float32", ("batch", 1, 8, 8)),),
        outputs=(TensorSpec("scores", "float32", ("batch", classes)),),
        task="classification",
        preprocessing=Preprocessing(**preprocessing),
    )


@pytest.fixture
def prepare_with(tmp_path: Path) -> Prepare:
    """Run the prepare phase in this process and read what it wrote."""

    def run(
        spec: ModelSpec, dataset: str | Path, *, seed: int = 0, model: Path | None = None, **columns: str
    ) -> Prepared:
        folder = model or tmp_path / "model"
        folder.mkdir(exist_ok=True)
        payload = folder / "model.onnx"
        payload.touch()
        write_manifest(folder, Artifact("onnx", payload))
        job = PrepareJob(spec, str(folder), str(dataset), str(tmp_path / "prepared"), columns, seed)
        prepare.run(job, Reporter(tmp_path))
        return load(tmp_path / "prepared")

    return run


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    """Sixty samples of three classes."""
    generator = np.random.default_rng(0)
    return {"x": generator.random((60, 1, 8, 8), dtype=np.float32), "y": np.arange(60) % 3}
