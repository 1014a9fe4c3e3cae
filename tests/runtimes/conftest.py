"""One small trained-shape model in every format that the runtimes here open."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision

from engine.artifact import Artifact
from engine.feeds import random_feeds
from engine.formats import torch_module
from engine.runtimes.base import Site
from engine.spec import ModelSpec, TensorSpec

IMAGE = ModelSpec(
    name="resnet18",
    format="torch-module",
    inputs=(TensorSpec("image", "float32", ("batch", 3, 32, 32)),),
    outputs=(TensorSpec("logits", "float32", ("batch", 10)),),
)


@pytest.fixture(scope="session")
def module() -> torch.nn.Module:
    """A ResNet-18 with settled batch statistics."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    network: torch.nn.Module = torchvision.models.resnet18(num_classes=10)
    with torch.no_grad():
        for _ in range(3):
            network(torch.randn(8, 3, 32, 32))
    network.eval()
    return network


@pytest.fixture(scope="session")
def artifacts(module: torch.nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Artifact]:
    """Make the model in one format, once."""
    folder = tmp_path_factory.mktemp("artifacts")
    made: dict[str, Artifact] = {}

    def get(format: str) -> Artifact:
        if format not in made:
            made[format] = Artifact(format, MAKERS[format](module, folder), key=format)
        return made[format]

    return get


def make_module(module: torch.nn.Module, folder: Path) -> Path:
    return torch_module.write(folder / "module", "torchvision.resnet18", {"num_classes": 10}, module.state_dict())


def make_script(module: torch.nn.Module, folder: Path) -> Path:
    path = folder / "model.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(module, torch.randn(2, 3, 32, 32)), str(path))
    return path


def make_program(module: torch.nn.Module, folder: Path) -> Path:
    path = folder / "model.pt2"
    batch = torch.export.Dim("batch", min=1, max=64)
    torch.export.save(torch.export.export(module, (torch.randn(2, 3, 32, 32),), dynamic_shapes=({0: batch},)), path)
    return path


def make_onnx(module: torch.nn.Module, folder: Path) -> Path:
    path = folder / "model.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (torch.randn(2, 3, 32, 32),),
            str(path),
            dynamo=False,
            input_names=["image"],
            output_names=["logits"],
            dynamic_axes={"image": {0: "batch"}, "logits": {0: "batch"}},
        )
    return path


MAKERS: dict[str, Callable[[torch.nn.Module, Path], Path]] = {
    "torch-module": make_module,
    "torchscript": make_script,
    "exported-program": make_program,
    "onnx": make_onnx,
}


@pytest.fixture
def site(tmp_path: Path) -> Callable[..., Site]:
    """Where a session is opened; the CPU unless told otherwise."""

    def make(device: str = "cpu", batch_size: int = 2) -> Site:
        return Site(device, 1, batch_size, tmp_path, tmp_path / "cache")

    return make


@pytest.fixture(scope="session")
def feeds() -> dict[str, Any]:
    return random_feeds(IMAGE, 2, seed=1)


@pytest.fixture(scope="session")
def expected(module: torch.nn.Module, feeds: dict[str, Any]) -> np.ndarray:
    """What the module answers on the CPU."""
    with torch.inference_mode():
        answer: np.ndarray = module(torch.from_numpy(feeds["image"])).numpy()
    return answer


def package_file(package: str, name: str) -> Path:
    """A file inside an installed package; skips the test where the package is not installed."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"{package} is not installed")
    return Path(spec.submodule_search_locations[0]) / name
