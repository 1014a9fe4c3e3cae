"""Memory that runs out is told apart from every other failure."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.artifact import Artifact
from engine.errors import OptibenchError, OutOfMemory
from engine.runtimes import all_runtimes
from engine.runtimes.base import Site
from engine.spec import ModelSpec, TensorSpec

GREEDY = ModelSpec("greedy", "torchscript", (TensorSpec("x", "float32", ("batch", 1)),), ())


class Greedy(torch.nn.Module):
    """Wants a petabyte for each sample beyond the first."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.ones((x.size(0) - 1) * 1_000_000_000_000_000 + 1, device=x.device)[:1] * x


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda:0", marks=pytest.mark.gpu)])
@pytest.mark.parametrize("name", ["torchscript", "libtorch"])
def test_a_batch_that_does_not_fit(name: str, device: str, tmp_path: Path, site: Callable[..., Site]) -> None:
    runtime = all_runtimes()[name]()
    if runtime.missing():
        pytest.skip(str(runtime.missing()))
    if device != "cpu" and not torch.cuda.is_available():
        pytest.skip("no NVIDIA GPU")
    path = tmp_path / "greedy.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(Greedy()), str(path))
    session = runtime.open(Artifact("torchscript", path), GREEDY, site(device))
    session.bind({"x": np.zeros((2, 1), np.float32)})
    with pytest.raises(OutOfMemory):
        session.run()
    session.bind({"x": np.full((1, 1), 7, np.float32)})
    session.run()
    assert session.fetch()[0].tolist() == [[7]]
    session.close()


@pytest.mark.parametrize("name", ["torchscript", "libtorch"])
def test_an_error_inside_a_script_is_told_in_its_own_words(
    name: str, tmp_path: Path, site: Callable[..., Site]
) -> None:
    class Picky(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.view(7, 7)

    path = tmp_path / "picky.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(Picky()), str(path))
    runtime = all_runtimes()[name]()
    if runtime.missing():
        pytest.skip(str(runtime.missing()))
    session = runtime.open(Artifact("torchscript", path), GREEDY, site())
    session.bind({"x": np.zeros((2, 1), np.float32)})
    with pytest.raises(OptibenchError, match=r"shape '\[7, 7\]' is invalid"):
        session.run()
    session.close()
