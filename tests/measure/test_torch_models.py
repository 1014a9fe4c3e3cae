"""Hidden state, chance and isolation, with real TorchScript models and real workers."""

from __future__ import annotations

import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.artifact import Artifact, write_manifest
from engine.errors import BadInput
from engine.measurement import Measurement
from engine.spec import ModelSpec, TensorSpec, Use, from_json
from engine.worker.jobs import MeasureJob, ProbeJob, ReferenceJob
from engine.worker.launch import launch
from engine.worker.protocol import Event, write_job
from tests.measure import models
from tests.measure.conftest import WORKLOAD

Refer = Callable[..., dict[str, Any]]
Bench = Callable[..., list[Measurement]]
ROOT = Path(__file__).resolve().parents[2]


class Noisy(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + 0.3 * torch.randn_like(x)


class Positive(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[x > 0]


class Silent(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> str:
        return "nothing"


def script(folder: Path, module: torch.nn.Module, spec: ModelSpec) -> models.Made:
    """Script a module into an artifact."""
    folder.mkdir(parents=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(module), folder / "model.pt")
    write_manifest(folder, Artifact("torchscript", folder / "model.pt"))
    return models.Made(str(folder), spec)


def plain(name: str) -> ModelSpec:
    return ModelSpec(name, "torchscript", (models.tensor("x", "batch", 8),), (models.tensor("y", "batch", 8),))


def test_a_stochastic_model_is_found_out(tmp_path: Path, refer: Refer, bench: Bench) -> None:
    made = script(tmp_path / "m", Noisy(), plain("noisy"))
    facts = refer(made)
    assert facts["stochastic"] is True
    assert 0.2 < facts["spread"] < 0.6
    assert "stochastic" in " ".join(facts["notes"])
    found = bench(made, runtime="torchscript")
    assert found[0].status == "ok"
    assert found[0].parity is not None
    assert found[0].parity.tolerance is not None
    assert found[0].parity.tolerance > 0.2


def test_a_model_without_tensors_is_refused_in_words(tmp_path: Path, refer: Refer) -> None:
    with pytest.raises(BadInput, match="returns no tensor"):
        refer(script(tmp_path / "m", Silent(), plain("silent")))


def test_shapes_that_depend_on_the_data_in_torchscript(tmp_path: Path, refer: Refer, bench: Bench) -> None:
    made = script(tmp_path / "m", Positive(), plain("positive"))
    refer(made)
    found = bench(made, runtime="torchscript")
    assert found[1].parity is not None
    assert (found[1].status, found[1].parity.passed) == ("ok", True)


@pytest.fixture(scope="module")
def silero(tmp_path_factory: pytest.TempPathFactory) -> models.Made:
    """silero-vad's TorchScript: hidden state, control flow and a Python int as its second input."""
    package = find_spec("silero_vad")
    if package is None or package.origin is None:
        pytest.skip("silero-vad is not installed (pip install --no-deps silero-vad)")
    folder = tmp_path_factory.mktemp("silero")
    shutil.copy(Path(package.origin).parent / "data" / "silero_vad.jit", folder / "model.pt")
    write_manifest(folder, Artifact("torchscript", folder / "model.pt"))
    inputs = (models.tensor("x", "batch", 512), TensorSpec("sr", "int64", constant=16000))
    outputs = (models.tensor("speech", "batch", 1),)
    spec = ModelSpec("silero", "torchscript", inputs, outputs, control_flow=9, state="hidden", task="other")
    return models.Made(str(folder), spec)


def test_hidden_state_is_compared_from_a_fresh_load(silero: models.Made, refer: Refer, bench: Bench) -> None:
    facts = refer(silero)
    assert facts["stochastic"] is False
    found = bench(silero, runtime="torchscript")
    assert [each.status for each in found] == ["ok", "ok"]
    assert all(each.parity is not None and each.parity.passed for each in found)


def test_an_onnx_worker_never_imports_torch(tmp_path: Path) -> None:
    made = models.classifier(tmp_path / "m")
    job = MeasureJob(made.spec, {1: made.folder}, Use("onnxruntime"), WORKLOAD, (1,))
    write_job(tmp_path / "job", job)
    code = """
import sys
from pathlib import Path
from engine.worker.phases import measure
from engine.worker.protocol import Reporter, read_job
folder = Path(sys.argv[1])
assert measure.run(read_job(folder), Reporter(folder))["measurements"][0]["status"] == "ok"
print([name for name in ("torch", "tensorrt", "transformers", "streamlit", "pandas") if name in sys.modules])
"""
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "job")], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"


def test_the_probe_never_imports_torch() -> None:
    code = """
import sys, tempfile
from pathlib import Path
from engine.worker.jobs import ProbeJob
from engine.worker.phases import probe
from engine.worker.protocol import Reporter
probe.run(ProbeJob(), Reporter(Path(tempfile.mkdtemp())))
print([name for name in ("torch", "onnxruntime", "transformers") if name in sys.modules])
"""
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_phases_work_in_worker_processes(tmp_path: Path) -> None:
    made = models.classifier(tmp_path / "m")
    reference = tmp_path / "reference"
    outcome = launch(
        ReferenceJob(made.spec, made.folder, WORKLOAD, str(reference)), tmp_path / "a", writable=(tmp_path,)
    )
    assert (outcome.status, outcome.reason) == ("ok", "")
    events: list[Event] = []
    outcome = launch(
        MeasureJob(
            made.spec,
            {1: made.folder, 4: made.folder},
            Use("onnxruntime"),
            replace(WORKLOAD, seconds=0.05),
            (1, 4),
            reference=str(reference),
            extras=("parity", "memory"),
        ),
        tmp_path / "b",
        on_event=events.append,
        writable=(tmp_path,),
    )
    assert (outcome.status, outcome.reason) == ("ok", "")
    told = [each.data["measurement"] for each in events if "measurement" in each.data]
    assert told == outcome.value["measurements"]
    assert all(from_json(Measurement, each).status == "ok" for each in told)


def test_the_probe_finds_this_machine(tmp_path: Path) -> None:
    outcome = launch(ProbeJob(), tmp_path / "probe")
    assert (outcome.status, outcome.reason) == ("ok", "")
    found = outcome.value
    assert found["devices"][0]["kind"] == "cpu"
    assert found["devices"][0]["cores"] >= 1
    assert found["runtimes"]["onnxruntime"]["ready"] is True
    for each in (*found["runtimes"].values(), *found["steps"].values()):
        assert each["ready"] or (each["reason"] and each["hint"])
    if len(found["devices"]) == 1:
        assert found["no_gpu_reason"]
    assert set(found["tools"]) == {"compiler", "python_headers", "sandbox", "nvcc"}
