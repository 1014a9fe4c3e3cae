"""The digits sample as jobs of the live demo: eager and ONNX Runtime, with its prepared data set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from safetensors.torch import load_file

from engine import settings
from engine.artifact import Artifact, write_manifest
from engine.formats import torch_module
from engine.live.demo import Demo
from engine.settings import Settings
from engine.spec import ModelSpec, Preprocessing, TensorSpec, Use, Workload
from engine.worker.jobs import PrepareJob, ServeJob
from engine.worker.phases import prepare
from engine.worker.protocol import Reporter
from tests.measure import models
from tests.runtimes.conftest import make_onnx

SAMPLE = Path(__file__).parents[2] / "sample_models" / "digits"
WORKLOAD = Workload(threads=1, timeout_s=120.0)
SPEC = ModelSpec(
    name="digits",
    format="torch-module",
    inputs=(TensorSpec("pixels", "float32", ("batch", 1, 8, 8), low=0.0, high=1.0),),
    outputs=(TensorSpec("scores", "float32", ("batch", 10)),),
    task="classification",
    preprocessing=Preprocessing(resize=(8, 8), labels=tuple("0123456789"), scores="scores"),
)


@dataclass(frozen=True)
class Digits:
    """One job for each runtime."""

    eager: ServeJob
    onnx: ServeJob
    prepared: Path


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Digits:
    folder = tmp_path_factory.mktemp("digits")
    weights = load_file(SAMPLE / "weights.safetensors")
    module = torch_module.write(folder / "module" / "model", "sample.digits", {}, weights)
    write_manifest(folder / "module", Artifact("torch-module", module))
    (folder / "onnx").mkdir()
    path = make_onnx(torch_module.load(module), folder / "onnx")
    write_manifest(folder / "onnx", Artifact("onnx", path))
    data = folder / "prepared"
    job = PrepareJob(SPEC, str(folder / "module"), "sample:digits", str(data))
    (folder / "job").mkdir()
    prepare.run(job, Reporter(folder / "job"))
    eager = ServeJob(SPEC, str(folder / "module"), Use("eager"), WORKLOAD, 1, prepared=str(data))
    return Digits(eager, replace(eager, artifact=str(folder / "onnx"), runtime=Use("onnxruntime")), data)


@pytest.fixture
def tiny(tmp_path: Path) -> ServeJob:
    """A small graph in ONNX Runtime: opened in a second."""
    made = models.classifier(tmp_path / "tiny")
    return ServeJob(made.spec, made.folder, Use("onnxruntime"), WORKLOAD, 1)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("OPTIBENCH_HOME", str(tmp_path / "home"))
    return settings.load()


@pytest.fixture
def demo(home: Settings) -> Iterator[Demo]:
    made = Demo(home)
    yield made
    made.close()
