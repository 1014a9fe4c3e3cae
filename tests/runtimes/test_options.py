"""Options change how a model runs, not what it answers beyond their precision."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from engine.artifact import Artifact
from engine.runtimes import all_runtimes
from engine.runtimes.base import Site
from tests.runtimes.conftest import DIGITS

TOLERANCE = {"fp32": 1e-4, "tf32": 5e-3, "fp16": 2e-2, "bf16": 2e-2}
Open = Callable[..., tuple[np.ndarray, dict[str, Any], str]]

ON_CPU = [
    ("eager", "torch-module", {"channels_last": True}),
    ("eager", "torch-module", {"autocast": "bf16"}),
    ("eager", "torch-module", {"autocast": "fp16"}),
    ("eager", "exported-program", {"channels_last": True}),
    ("torchscript", "torchscript", {"optimize": False}),
    ("torchscript", "torchscript", {"fuser": "none"}),
    ("torchscript", "torchscript", {"optimize_for_inference": True}),
    ("torchscript", "torchscript", {"onednn_fusion": True}),
    ("libtorch", "torchscript", {"optimize": False}),
    ("onnxruntime", "onnx", {"graph_optimization": "none"}),
    ("onnxruntime", "onnx", {"graph_optimization": "basic"}),
    ("onnxruntime", "onnx", {"graph_optimization": "extended"}),
]
ON_GPU = [
    ("eager", "torch-module", {"cuda_graph": True}),
    ("eager", "torch-module", {"cuda_graph": True, "autocast": "fp16"}),
    ("eager", "torch-module", {"cuda_graph": True, "channels_last": True, "tf32": True}),
    ("eager", "exported-program", {"cuda_graph": True}),
    ("torchscript", "torchscript", {"cuda_graph": True}),
    ("torchscript", "torchscript", {"tf32": True, "fuser": "nnc"}),
    ("torch-compile", "torch-module", {"mode": "reduce-overhead"}),
    ("torch-compile", "exported-program", {"mode": "max-autotune", "tf32": True}),
    ("aoti", "aot-inductor", {"cuda_graph": True}),
    ("libtorch", "torchscript", {"tf32": True}),
    ("onnxruntime", "onnx", {"cuda_graph": True}),
    ("onnxruntime", "onnx", {"nhwc": True, "tf32": True}),
    ("onnxruntime", "onnx", {"nhwc": True, "cuda_graph": True}),
]


def identify(case: Any) -> str | None:
    return ",".join(f"{name}={value}" for name, value in case.items()) if isinstance(case, dict) else None


def run_twice(
    name: str,
    options: Mapping[str, Any],
    artifact: Artifact,
    site: Site,
    feeds: dict[str, Any],
    expected: Callable[..., np.ndarray],
) -> None:
    """Open with options, run on two inputs, and compare both with the module."""
    runtime = all_runtimes()[name].from_options(options)
    assert runtime.check(DIGITS, site.device) is None
    tolerance = TOLERANCE[runtime.precision("fp32", site.device)]
    session = runtime.open(artifact, DIGITS, site)
    try:
        for given in (feeds, {"pixels": 1 - feeds["pixels"]}, feeds):
            session.bind(given)
            for _ in range(3):
                session.run()
            session.synchronize()
            found, wanted = session.fetch()[0], expected(given)
            assert found.dtype == np.float32
            assert np.linalg.norm(found - wanted) <= tolerance * np.linalg.norm(wanted)
    finally:
        session.close()


@pytest.mark.parametrize(("name", "format", "options"), ON_CPU, ids=identify)
def test_option_on_the_cpu(
    name: str, format: str, options: dict[str, Any], artifacts: Any, site: Any, feeds: Any, expected: Any
) -> None:
    run_twice(name, options, artifacts(format), site(), feeds, expected)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU")
@pytest.mark.parametrize(("name", "format", "options"), ON_GPU, ids=identify)
def test_option_on_the_gpu(
    name: str, format: str, options: dict[str, Any], artifacts: Any, site: Any, feeds: Any, expected: Any
) -> None:
    missing = all_runtimes()[name].missing()
    if missing:
        pytest.skip(str(missing))
    run_twice(name, options, artifacts(format, "cuda:0"), site("cuda:0"), feeds, expected)


@pytest.mark.parametrize(
    ("name", "options", "why"),
    [
        ("eager", {"cuda_graph": True}, "NVIDIA GPU"),
        ("eager", {"tf32": True}, "NVIDIA GPU"),
        ("torchscript", {"cuda_graph": True}, "NVIDIA GPU"),
        ("torchscript", {"fuser": "nnc"}, "LLVM"),
        ("torch-compile", {"mode": "reduce-overhead"}, "CUDA graphs"),
        ("aoti", {"tf32": True}, "NVIDIA GPU"),
        ("libtorch", {"tf32": True}, "NVIDIA GPU"),
        ("onnxruntime", {"cuda_graph": True}, "NVIDIA GPU"),
        ("onnxruntime", {"nhwc": True}, "NVIDIA GPU"),
    ],
)
def test_options_for_a_gpu_are_refused_on_a_cpu(name: str, options: dict[str, Any], why: str) -> None:
    reason = all_runtimes()[name].from_options(options).check(DIGITS, "cpu")
    assert reason is not None
    assert why in reason


def test_hidden_state_and_branches_can_not_be_captured() -> None:
    hidden, branching = replace(DIGITS, state="hidden"), replace(DIGITS, control_flow=2)
    for name in ("eager", "torchscript"):
        runtime = all_runtimes()[name].from_options({"cuda_graph": True})
        assert "hidden state" in str(runtime.check(hidden, "cuda:0"))
        assert "branches" in str(runtime.check(branching, "cuda:0"))
        assert runtime.check(DIGITS, "cuda:0") is None


def test_process_wide_switches_are_put_back(artifacts: Callable[..., Artifact], site: Callable[..., Site]) -> None:
    def switches() -> tuple[Any, ...]:
        jit: Any = torch._C
        return (
            jit._get_graph_executor_optimize(),
            jit._jit_texpr_fuser_enabled(),
            jit._jit_can_fuse_on_cpu(),
            jit._jit_llga_enabled(),
            torch.backends.cudnn.allow_tf32,
            torch.backends.cuda.matmul.allow_tf32,
            torch.get_num_threads(),
        )

    before = switches()
    options = {"optimize": False, "fuser": "none", "onednn_fusion": True}
    session = all_runtimes()["torchscript"].from_options(options).open(artifacts("torchscript"), DIGITS, site())
    assert switches() != before
    assert torch.backends.cudnn.allow_tf32 is False
    session.close()
    assert switches() == before


def test_precision_is_lowered_only_from_fp32() -> None:
    eager = all_runtimes()["eager"]
    assert eager.from_options({"tf32": True}).precision("fp32", "cuda:0") == "tf32"
    assert eager.from_options({"tf32": True}).precision("fp16", "cuda:0") == "fp16"
    assert eager.from_options({"autocast": "bf16"}).precision("fp32", "cpu") == "bf16"
    assert all_runtimes()["onnxruntime"]().precision("int8", "cuda:0") == "int8"
