"""The profile phase on the CPU, through PyTorch and ONNX Runtime; what it finds is the model's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.artifact import Artifact, write_manifest
from engine.formats import torch_module
from engine.spec import ModelSpec, Use, Workload
from engine.worker.jobs import ProfileJob
from engine.worker.phases import profile
from engine.worker.protocol import Reporter


def profiled(artifact: Artifact, spec: ModelSpec, runtime: str, folder: Path) -> dict[str, Any]:
    folder.mkdir()
    write_manifest(artifact.path.parent, artifact)
    job = ProfileJob(
        spec=replace(spec, format=artifact.format),
        artifact=str(artifact.path.parent),
        runtime=Use(runtime),
        workload=Workload(batch_sizes=(8,), threads=1),
        batch_size=8,
        cache=str(folder / "caches" / "key"),
    )
    return profile.run(job, Reporter(folder))


@pytest.fixture(scope="module")
def module_artifact(digits_module: Any, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    folder = tmp_path_factory.mktemp("module") / "payload"
    path = torch_module.write(folder, "sample.digits", {}, digits_module.state_dict())
    return Artifact("torch-module", path)


@pytest.fixture(scope="module")
def found_by_torch(
    module_artifact: Artifact, digits_spec: ModelSpec, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    return profiled(module_artifact, digits_spec, "eager", tmp_path_factory.mktemp("torch") / "job")


@pytest.fixture(scope="module")
def found_by_onnxruntime(
    digits_onnx: Artifact, digits_spec: ModelSpec, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    return profiled(digits_onnx, digits_spec, "onnxruntime", tmp_path_factory.mktemp("ort") / "job")


def test_pytorch_operators_come_longest_first_and_add_up(found_by_torch: dict[str, Any]) -> None:
    times = [each["ms"] for each in found_by_torch["layers"]]
    assert times == sorted(times, reverse=True)
    assert found_by_torch["busy_ms"] == pytest.approx(sum(times))
    assert any("convolution" in each["name"] for each in found_by_torch["layers"])
    assert found_by_torch["latency_ms"] > 0


def test_each_operator_is_counted_per_call(found_by_torch: dict[str, Any]) -> None:
    convolution = next(each for each in found_by_torch["layers"] if each["name"] == "aten::conv2d")
    assert convolution["count"] == 3


def test_onnxruntime_gives_nodes_with_their_provider(found_by_onnxruntime: dict[str, Any]) -> None:
    layers = found_by_onnxruntime["layers"]
    assert {each["provider"] for each in layers} == {"CPU"}
    assert sum(each["kind"] in ("Conv", "FusedConv", "NhwcFusedConv") for each in layers) == 3
    assert found_by_onnxruntime["providers"]["CPU"]["nodes"] == len(layers)


def test_onnxruntime_fuses_activations_into_convolutions(found_by_onnxruntime: dict[str, Any]) -> None:
    assert not any(each["kind"] == "Relu" for each in found_by_onnxruntime["layers"])
    assert found_by_onnxruntime["layers_before"] > found_by_onnxruntime["layers_after"]


def test_the_roofline_knows_the_limit_of_this_cpu(found_by_torch: dict[str, Any]) -> None:
    roofline = found_by_torch["roofline"]
    assert roofline["work"]["weights"] > 20_000
    assert 1e8 < roofline["ceilings"]["bandwidth"] < 1e13
    assert roofline["fraction"] > 0


def test_the_ceilings_are_measured_once(found_by_torch: dict[str, Any], tmp_path: Path) -> None:
    from engine.profiling import ceilings

    kept = ceilings.ceilings("cpu", tmp_path, "some cpu")
    assert ceilings.ceilings("cpu", tmp_path, "some cpu") == kept
