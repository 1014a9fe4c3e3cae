"""How a recipe reaches TensorRT from each format, what is said where it can't, and which GPUs are refused."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from engine import recipes, routes
from engine.artifact import Artifact
from engine.errors import Unsupported
from engine.plugin import Plugin
from engine.runtimes import all_runtimes
from engine.runtimes.onnxruntime_tensorrt import profile_shapes
from engine.runtimes.tensorrt import TensorRT
from engine.runtimes.tensorrt_library import Library, judge_gpu, says_out_of_memory
from engine.spec import ModelSpec, TensorSpec, Variant
from engine.steps import steps_named
from engine.unsupported import UNSUPPORTED
from engine.worker.phases.probe import readiness

RUNTIMES = (
    "tensorrt",
    "torch-tensorrt-runtime",
    "torch-tensorrt-jit",
    "onnxruntime-tensorrt",
    "onnxruntime-tensorrt-rtx",
)


def model(format: str, **facts: object) -> ModelSpec:
    pixels = TensorSpec("pixels", "float32", ("batch", 3, 8, 8))
    return ModelSpec("model", format, (pixels,), (TensorSpec("y", "float32", ("batch", 4)),), **facts)  # type: ignore[arg-type]


def planned(recipe: str, spec: ModelSpec) -> Variant:
    return routes.plan(spec, recipes.parse(recipe), "cuda:0")


@pytest.fixture
def everything_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Plugin, "missing", classmethod(lambda cls: None))


@pytest.mark.parametrize(
    ("format", "recipe", "expected"),
    [
        ("onnx", "tensorrt", ("onnx", "tensorrt-engine")),
        (
            "torch-module",
            "half > onnx > tensorrt(cuda_graph=true) [static]",
            ("torch-module",) * 2 + ("onnx", "tensorrt-engine"),
        ),
        (
            "torch-module",
            "torch-tensorrt-compile > torch-tensorrt-runtime",
            ("torch-module", "exported-program", "torch-tensorrt"),
        ),
        ("torchscript", "torch-tensorrt-compile > torch-tensorrt-runtime", ("torchscript", "torch-tensorrt")),
        ("torch-module", "torch-tensorrt-jit", ("torch-module",)),
        ("onnx", "int8-qdq(target=tensorrt) > tensorrt", ("onnx", "onnx", "tensorrt-engine")),
        ("torch-module", "onnx > fp8-qdq > tensorrt", ("torch-module", "onnx", "onnx", "tensorrt-engine")),
        ("onnx", "onnxruntime-tensorrt-rtx(cuda_graph=true)", ("onnx",)),
    ],
)
def test_routes(format: str, recipe: str, expected: tuple[str, ...], everything_installed: None) -> None:
    found = planned(recipe, model(format))
    assert found.unsupported == ""
    assert found.formats == expected


@pytest.mark.parametrize(
    ("recipe", "target"),
    [
        ("int8-qdq > tensorrt", "tensorrt"),
        ("int8-qdq > onnxruntime-tensorrt", "tensorrt"),
        ("int8-qdq > onnxruntime", "onnxruntime"),
        ("int8-qdq(target=onnxruntime) > tensorrt", "onnxruntime"),
    ],
)
def test_int8_follows_the_rules_of_the_runtime(recipe: str, target: str, everything_installed: None) -> None:
    found = planned(recipe, model("onnx"))
    assert found.route[0].options["target"] == target
    assert found.recipe == recipes.parse(recipe), "the recipe stays as it was asked for"


@pytest.mark.parametrize("name", RUNTIMES)
def test_on_a_cpu_the_reason_is_the_gpu(name: str, everything_installed: None) -> None:
    found = routes.plan(model("onnx"), recipes.parse(name), "cpu")
    assert "does not run on a CPU" in found.unsupported


@pytest.mark.skipif(TensorRT.missing() is None, reason="TensorRT is installed here")
def test_a_missing_library_comes_with_its_command() -> None:
    found = planned("tensorrt", model("onnx"))
    assert "needs tensorrt, which is not installed" in found.unsupported
    assert "pip install tensorrt cuda-bindings" in found.hint


def test_hidden_state_can_not_be_replayed(everything_installed: None) -> None:
    spec = model("onnx", state="hidden")
    assert "hidden state" in planned("tensorrt(cuda_graph=true)", spec).unsupported
    assert "freeze" in planned("torch-tensorrt-jit", model("torch-module", state="hidden")).unsupported


def test_gpus_that_tensorrt_does_not_support_are_named() -> None:
    assert judge_gpu("Tesla P100", (6, 0), "580.65", "cu13") == (
        "Tesla P100 has compute capability 6.0; TensorRT needs 7.5 or newer"
    )
    assert judge_gpu("L4", (8, 9), "550.54", "cu13") == "the driver of L4 is 550.54; this TensorRT needs 580 or newer"
    assert judge_gpu("L4", (8, 9), "550.54", "cu12") is None


def test_a_gpu_that_is_not_supported_is_named_before_anything_runs(
    everything_installed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = {"name": "Tesla P100", "compute_capability": "6.0", "driver": "580.65"}
    monkeypatch.setattr("engine.runtimes.tensorrt_library.gpu_facts", lambda device: old)
    for each in [*(all_runtimes()[name] for name in RUNTIMES), *steps_named("tensorrt-build")]:
        told = readiness([each], ["cpu", "cuda:0"], "")
        assert (told["ready"], told["reason"][:10]) == (False, "Tesla P100"), each.name
    assert "Tesla P100" in planned("tensorrt", model("onnx")).unsupported


def test_a_builder_flag_that_a_version_lacks_matters_only_when_it_is_asked_for() -> None:
    library = Library(SimpleNamespace(BuilderFlag=SimpleNamespace()), "TensorRT", "12.0", False)
    library.set_flag(None, "SPARSE_WEIGHTS", False)
    with pytest.raises(Unsupported, match=r"TensorRT 12\.0 has no builder flag SPARSE_WEIGHTS"):
        library.set_flag(None, "SPARSE_WEIGHTS", True)


def test_out_of_memory_is_recognised_in_tensorrts_words() -> None:
    assert says_out_of_memory(["[executionContext.cpp::initialize::619] Error Code 1: Cuda Runtime (out of memory)"])
    assert says_out_of_memory(["Error Code 2: OutOfMemory (Requested size was 17179869184 bytes.)"])
    assert not says_out_of_memory(["Error Code 4: API Usage Error"])


def test_a_providers_profile_names_the_graphs_own_inputs() -> None:
    spec = model("onnx")
    graph = Artifact("onnx", Path("model.onnx"), details={"input_names": ["x.1"]})
    shape = "x.1:4x3x8x8"
    assert profile_shapes(graph, spec, 4) == {f"profile_{bound}_shapes": shape for bound in ("min", "opt", "max")}
    assert profile_shapes(Artifact("onnx", Path("model.onnx"), details={"batch_size": 4}), spec, 4) == {}


def test_what_is_listed_as_unsupported_says_why_and_what_instead() -> None:
    names = [each.name for each in UNSUPPORTED]
    assert names == ["tensorflow-tensorrt", "onnx-to-tensorflow", "executorch"]
    assert all(each.reason.endswith(".") and each.instead.endswith(".") for each in UNSUPPORTED)
