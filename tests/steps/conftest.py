"""Models shared by the tests of steps; each is made once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engine.artifact import Artifact, read_manifest
from engine.measurement import BuildResult
from engine.spec import ModelSpec, TensorSpec
from tests.steps.models import build_route, module_upload

DIGITS = ModelSpec(
    "digits",
    "torch-module",
    (TensorSpec("pixels", "float32", ("batch", 1, 8, 8)),),
    (TensorSpec("scores", "float32", ("batch", 10)),),
    architecture="sample.digits",
)
SEQUENCE = ModelSpec(
    "sequence",
    "torch-module",
    (TensorSpec("rows", "float32", ("batch", 8, 8)),),
    (TensorSpec("scores", "float32", ("batch", 10)),),
    architecture="sample.sequence",
    control_flow=1,
)


@dataclass
class Model:
    """An upload, its spec, and a store where everything made of it is kept for the session."""

    folder: Path
    spec: ModelSpec
    work: Path

    @property
    def artifact(self) -> Artifact:
        return read_manifest(self.folder)

    def build(self, recipe: str, work: Path | None = None, **more: Any) -> tuple[BuildResult, Artifact | None]:
        return build_route(self.folder, self.spec, recipe, work or self.work, **more)

    def made(self, recipe: str, **more: Any) -> Artifact:
        result, artifact = self.build(recipe, **more)
        assert artifact is not None, f"{recipe}: {result.reason} {result.hint}"
        return artifact


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = tmp_path_factory.mktemp("digits")
    return Model(module_upload(folder, "sample.digits", {}), DIGITS, tmp_path_factory.mktemp("digits-work"))


@pytest.fixture(scope="session")
def sequence(tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = tmp_path_factory.mktemp("sequence")
    weights = Path(__file__).parents[2] / "sample_models" / "sequence" / "weights.safetensors"
    upload = module_upload(folder, "sample.sequence", {}, weights=weights)
    return Model(upload, SEQUENCE, tmp_path_factory.mktemp("sequence-work"))
