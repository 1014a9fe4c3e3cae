"""Kernels, launches and ceilings on a GPU; ONNX Runtime's TensorRT providers in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.artifact import Artifact
from engine.feeds import random_feeds
from engine.formats import torch_module
from engine.profiling import profile
from engine.profiling.ceilings import ceilings
from engine.runtimes import all_runtimes
from engine.runtimes.base import Site
from engine.runtimes.eager import Eager
from engine.spec import ModelSpec, to_json

pytestmark = pytest.mark.gpu
ROOT = Path(__file__).resolve().parents[2]

IN_A_PROCESS = """
import json, sys
from pathlib import Path
from engine.artifact import Artifact
from engine.runtimes import all_runtimes
from engine.runtimes.base import Site
from engine.spec import ModelSpec, from_json
from tests.nvidia.gpu import answer, expected, relative_l2

name, options, path, folder, spec = json.loads(sys.argv[1])
spec, folder = from_json(ModelSpec, spec), Path(folder)
site = Site(device="cuda:0", threads=1, batch_size=4, scratch=folder, cache=folder / "cache")
artifact = Artifact("onnx", Path(path))
output, feeds, details = answer(all_runtimes()[name].from_options(options), artifact, spec, site)
print(json.dumps({"error": relative_l2(output, expected(artifact, feeds)), "nodes": details["nodes"]}))
import os
sys.stdout.flush()
os._exit(0)
"""


def kernels(module: Any, spec: ModelSpec, site: Site, tmp_path: Path, **options: Any) -> dict[str, Any]:
    path = torch_module.write(tmp_path / "module", "sample.digits", {}, module.state_dict())
    session = Eager(**options).open(Artifact("torch-module", path), spec, site)
    try:
        session.bind(random_feeds(spec, 4, seed=0))
        for _ in range(5):
            session.run()
        session.synchronize()
        return profile(session)
    finally:
        session.close()


def test_eager_launches_each_kernel_by_itself(
    digits_module: Any, digits_spec: ModelSpec, site: Site, tmp_path: Path
) -> None:
    found = kernels(digits_module, digits_spec, site, tmp_path)
    assert found["launches"] >= 5
    assert found["kernels_per_call"] >= 5
    assert found["busy_ms"] > 0


def test_a_cuda_graph_is_one_launch(digits_module: Any, digits_spec: ModelSpec, site: Site, tmp_path: Path) -> None:
    found = kernels(digits_module, digits_spec, site, tmp_path, cuda_graph=True)
    assert found["launches"] < 2
    assert found["kernels_per_call"] >= 5


def test_tensor_cores_lift_the_ceiling(tmp_path: Path) -> None:
    found = ceilings("cuda:0", tmp_path, "this gpu")
    assert found["bandwidth"] > 1e11
    assert found["flops"]["fp16"] > 2 * found["flops"]["fp32"]


@pytest.mark.parametrize("name", ["onnxruntime-tensorrt", "onnxruntime-tensorrt-rtx"])
@pytest.mark.parametrize("cuda_graph", [False, True])
def test_the_provider_takes_the_graph(
    name: str, cuda_graph: bool, digits_onnx: Artifact, digits_spec: ModelSpec, tmp_path: Path
) -> None:
    missing = all_runtimes()[name].missing()
    if missing:
        pytest.skip(str(missing))
    request = [name, {"cuda_graph": cuda_graph}, str(digits_onnx.path), str(tmp_path), to_json(digits_spec)]
    command = [sys.executable, "-c", IN_A_PROCESS, json.dumps(request)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.strip().splitlines()[-1])
    assert found["error"] <= 5e-3
    assert sum(count for provider, count in found["nodes"].items() if provider not in ("CPU", "CUDA")) > 0
