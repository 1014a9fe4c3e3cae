"""The C++ program: what goes through its pipes, its clock, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.artifact import Artifact
from engine.errors import BadInput, OptibenchError, PhaseFailed, Unsupported
from engine.runtimes import all_runtimes
from engine.runtimes.base import Session, Site
from engine.spec import ModelSpec, TensorSpec
from tests.runtimes.conftest import DIGITS

LibTorch = all_runtimes()["libtorch"]
pytestmark = pytest.mark.skipif(LibTorch.missing() is not None, reason=str(LibTorch.missing()))


def saved(module: torch.nn.Module, folder: Path) -> Artifact:
    path = folder / "script.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(module.eval()), str(path))
    return Artifact("torchscript", path)


def spec_of(*inputs: TensorSpec) -> ModelSpec:
    return ModelSpec("odd", "torchscript", inputs, ())


@pytest.fixture
def digits(artifacts: Callable[..., Artifact], site: Callable[..., Site], feeds: dict[str, Any]) -> Any:
    session = LibTorch().open(artifacts("torchscript"), DIGITS, site())
    session.bind(feeds)
    yield session
    session.close()


class Odd(torch.nn.Module):
    """Takes every kind of input and gives nested outputs of several types."""

    def forward(
        self, x: torch.Tensor, ids: torch.Tensor, mask: torch.Tensor, rate: int, scale: float, negate: bool
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor], list[torch.Tensor], int]:
        y = x * scale + rate
        if negate:
            y = -y
        return y, {"half": y.half(), "narrow": y.to(torch.bfloat16)}, [ids + 1, ~mask], ids.numel()


def test_values_of_every_kind_go_in_and_come_out(tmp_path: Path, site: Callable[..., Site]) -> None:
    spec = spec_of(
        TensorSpec("x", "float32", ("batch", 3)),
        TensorSpec("ids", "int32", ("batch",)),
        TensorSpec("mask", "bool", ("batch",)),
        TensorSpec("rate", "int64", constant=16000),
        TensorSpec("scale", "float32", constant=0.5),
        TensorSpec("negate", "bool", constant=True),
    )
    session = LibTorch().open(saved(Odd(), tmp_path), spec, site())
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    session.bind({"x": x, "ids": np.array([4, 7], np.int32), "mask": np.array([True, False])})
    session.run()
    y, half, narrow, ids, mask, count = session.fetch()
    session.close()
    wanted = -(x * 0.5 + 16000)
    np.testing.assert_array_equal(y, wanted)
    np.testing.assert_array_equal(half, wanted.astype(np.float16))
    np.testing.assert_array_equal(narrow, torch.from_numpy(wanted).bfloat16().float().numpy())
    assert ids.tolist() == [5, 8]
    assert ids.dtype == np.int32
    assert mask.tolist() == [False, True]
    assert count == 2


@pytest.mark.parametrize(
    "dtype", ["float64", "float16", "bfloat16", "int8", "int16", "int64", "uint8", "bool", "float32"]
)
def test_dtypes_survive_the_pipe(dtype: str, tmp_path: Path, site: Callable[..., Site]) -> None:
    spec = spec_of(TensorSpec("x", dtype, (2, 2)))
    session = LibTorch().open(saved(torch.nn.Identity(), tmp_path), spec, site())
    session.bind({"x": np.array([[0, 1], [1, 3]])})
    session.run()
    (found,) = session.fetch()
    session.close()
    assert found.tolist() == ([[False, True], [True, True]] if dtype == "bool" else [[0, 1], [1, 3]])


def test_scalars_and_empty_tensors(tmp_path: Path, site: Callable[..., Site]) -> None:
    class Both(torch.nn.Module):
        def forward(self, scalar: torch.Tensor, none: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return scalar * 2, none

    spec = spec_of(TensorSpec("scalar", "float32"), TensorSpec("none", "float32", ("n", 4)))
    session = LibTorch().open(saved(Both(), tmp_path), spec, site())
    session.bind({"scalar": np.float32(1.5), "none": np.zeros((0, 4), np.float32)})
    session.run()
    scalar, none = session.fetch()
    session.close()
    assert scalar.shape == ()
    assert scalar == 3
    assert none.shape == (0, 4)


@pytest.mark.parametrize("end_to_end", [False, True])
def test_its_clock_agrees_with_wall_time(digits: Session, end_to_end: bool) -> None:
    digits.time_calls(20)
    began = time.perf_counter_ns()
    times = digits.time_calls(300, end_to_end=end_to_end)
    wall = time.perf_counter_ns() - began
    assert times is not None
    # All calls fit into the wall time, and nearly fill it: what remains is one message through the pipe.
    assert 0.5 * wall < sum(times[0]) <= wall


def test_a_program_that_dies_is_named(digits: Any) -> None:
    os.kill(digits.process.pid, signal.SIGSEGV)
    with pytest.raises(PhaseFailed, match="SIGSEGV") as caught:
        digits.run()
    assert caught.value.status == "crashed"


def test_closing_ends_the_process(digits: Any) -> None:
    digits.close()
    assert digits.process.returncode == 0


def test_an_operator_of_another_package_is_unsupported(tmp_path: Path, site: Callable[..., Site]) -> None:
    import torchvision

    class Boxes(torch.nn.Module):
        def forward(self, boxes: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
            kept: torch.Tensor = torchvision.ops.nms(boxes, scores, 0.5)
            return kept

    with pytest.raises(Unsupported, match="torchvision::nms"):
        LibTorch().open(saved(Boxes(), tmp_path), spec_of(), site())


def test_a_damaged_file_is_bad_input(tmp_path: Path, site: Callable[..., Site]) -> None:
    (tmp_path / "broken.pt").write_bytes(b"PK\x03\x04 not a model")
    with pytest.raises(BadInput, match="can't read"):
        LibTorch().open(Artifact("torchscript", tmp_path / "broken.pt"), DIGITS, site())


def test_an_error_leaves_the_session_usable(tmp_path: Path, site: Callable[..., Site]) -> None:
    class Refuses(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if bool(x.sum() > 10):
                raise ValueError("the sum is too large")
            return x

    session = LibTorch().open(saved(Refuses(), tmp_path), spec_of(TensorSpec("x", "float32", ("n",))), site())
    session.bind({"x": np.full(3, 9, np.float32)})
    with pytest.raises(OptibenchError, match="too large"):
        session.run()
    session.bind({"x": np.ones(3, np.float32)})
    session.run()
    assert session.fetch()[0].tolist() == [1, 1, 1]
    session.close()


def test_a_text_constant_is_unsupported() -> None:
    spec = spec_of(TensorSpec("mode", "str", constant="fast"))
    assert "mode" in str(LibTorch().check(spec, "cpu"))


def test_no_python_framework_is_loaded(artifacts: Callable[..., Artifact], tmp_path: Path) -> None:
    """Neither the C++ runtime nor ONNX Runtime may bring torch into a worker that measures them."""
    code = f"""
import sys
from pathlib import Path
from engine.artifact import Artifact
from engine.runtimes import all_runtimes
from engine.runtimes.base import Site
from engine.spec import ModelSpec, TensorSpec
from engine.feeds import random_feeds
spec = ModelSpec("digits", "onnx", (TensorSpec("pixels", "float32", ("batch", 1, 8, 8)),), ())
site = Site("cpu", 1, 2, Path({str(tmp_path)!r}), Path({str(tmp_path)!r}))
for name, format, path in (("onnxruntime", "onnx", {str(artifacts("onnx").path)!r}),
                           ("libtorch", "torchscript", {str(artifacts("torchscript").path)!r})):
    session = all_runtimes()[name]().open(Artifact(format, Path(path)), spec, site)
    session.bind(random_feeds(spec, 2, 0)); session.run(); session.synchronize(); session.fetch(); session.close()
assert "torch" not in sys.modules, "torch was imported"
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
