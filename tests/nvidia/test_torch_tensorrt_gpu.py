"""Torch-TensorRT on a GPU: ahead of time as program and script, from TorchScript, and through torch.compile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.artifact import Artifact
from engine.feeds import random_feeds
from engine.formats import torch_module
from engine.runtimes.base import Site
from engine.runtimes.torch_tensorrt_jit import TorchTensorRTJit
from engine.runtimes.torch_tensorrt_runtime import TorchTensorRTRuntime
from engine.spec import ModelSpec
from engine.steps import step_for
from engine.steps.torch_tensorrt_compile import CompileProgram, CompileScript
from tests.nvidia.context import GivenContext
from tests.nvidia.gpu import answer, expected, folder, once, relative_l2

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(TorchTensorRTJit.missing() is not None, reason=str(TorchTensorRTJit.missing())),
]


@pytest.fixture(scope="module")
def module(digits_module: Any, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    path = torch_module.write(tmp_path_factory.mktemp("module"), "sample.digits", {}, digits_module.state_dict())
    return Artifact("torch-module", path)


def stepped(name: str, source: Artifact, spec: ModelSpec, path: Path, static: int | None) -> Artifact:
    found = step_for(name, source.format)
    assert found is not None
    return found().apply(source, GivenContext(spec, path, device="cpu", static_batch=static))


def close_enough(output: np.ndarray, reference: Artifact, feeds: dict[str, Any], precision: str) -> bool:
    tolerance = {"fp32": 1e-4, "tf32": 5e-3, "fp16": 2e-2}[precision]
    return relative_l2(output, expected(reference, feeds)) <= tolerance


@pytest.mark.parametrize(("static", "save_as"), [(4, "program"), (4, "script"), (None, "program")])
def test_an_exported_program_compiles_saves_and_loads(
    static: int | None,
    save_as: str,
    module: Artifact,
    digits_onnx: Artifact,
    digits_spec: ModelSpec,
    site: Site,
    tmp_path: Path,
) -> None:
    program = stepped("export", module, digits_spec, folder(tmp_path, "program"), static)
    context = GivenContext(digits_spec, folder(tmp_path, "compiled"), static_batch=static)
    made = CompileProgram(save_as=save_as, min_block_size=1).apply(program, context)
    output, feeds, details = answer(TorchTensorRTRuntime(), made, digits_spec, site)
    assert close_enough(output, digits_onnx, feeds, made.precision)
    assert details["partitions"] >= 1


def test_half_precision_keeps_float32_inputs_and_outputs(
    module: Artifact, digits_onnx: Artifact, digits_spec: ModelSpec, site: Site, tmp_path: Path
) -> None:
    narrow = stepped("half", module, digits_spec, folder(tmp_path, "half"), 4)
    program = stepped("export", narrow, digits_spec, folder(tmp_path, "program"), 4)
    made = CompileProgram().apply(program, GivenContext(digits_spec, folder(tmp_path, "trt"), static_batch=4))
    output, feeds, _ = answer(TorchTensorRTRuntime(), made, digits_spec, site)
    assert made.precision == "fp16"
    assert output.dtype == np.float32
    assert close_enough(output, digits_onnx, feeds, "fp16")


def test_cuda_graphs_follow_new_values(
    module: Artifact, digits_onnx: Artifact, digits_spec: ModelSpec, site: Site, tmp_path: Path
) -> None:
    program = stepped("export", module, digits_spec, folder(tmp_path, "program"), 4)
    made = CompileProgram().apply(program, GivenContext(digits_spec, folder(tmp_path, "trt"), static_batch=4))
    session = TorchTensorRTRuntime(cuda_graph=True).open(made, digits_spec, site)
    try:
        for seed in (1, 2, 3):
            feeds = random_feeds(digits_spec, 4, seed)
            assert close_enough(once(session, feeds), digits_onnx, feeds, made.precision)
    finally:
        session.close()


@pytest.mark.xfail(strict=False, reason="TensorRT for RTX 1.4 gives NaN through this frontend; parity marks it suspect")
def test_the_torchscript_frontend_compiles_a_trace(
    module: Artifact, digits_onnx: Artifact, digits_spec: ModelSpec, site: Site, tmp_path: Path
) -> None:
    script = stepped("trace", module, digits_spec, folder(tmp_path, "script"), 4)
    made = CompileScript(min_block_size=1).apply(
        script, GivenContext(digits_spec, folder(tmp_path, "trt"), static_batch=4)
    )
    output, feeds, details = answer(TorchTensorRTRuntime(), made, digits_spec, site)
    assert close_enough(output, digits_onnx, feeds, made.precision)
    assert details["partitions"] >= 1


def test_torch_compile_reports_how_the_graph_was_divided(
    module: Artifact, digits_onnx: Artifact, digits_spec: ModelSpec, site: Site
) -> None:
    output, feeds, details = answer(TorchTensorRTJit(min_block_size=1), module, digits_spec, site)
    assert close_enough(output, digits_onnx, feeds, TorchTensorRTJit().precision("fp32", "cuda:0"))
    assert details["graphs"] == 1
    assert details["partitions"] >= 1
    assert isinstance(details["in_pytorch"], dict)
