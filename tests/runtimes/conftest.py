"""The digits sample, trained, in every format that the runtimes here open."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from engine import catalog
from engine.artifact import Artifact
from engine.feeds import random_feeds
from engine.formats import torch_module
from engine.runtimes.base import Site
from engine.spec import ModelSpec, TensorSpec
from engine.steps.aot_compile import AotCompile

WEIGHTS = Path(__file__).parents[2] / "sample_models" / "digits" / "weights.safetensors"
DIGITS = ModelSpec(
    name="digits",
    format="torch-module",
    inputs=(TensorSpec("pixels", "float32", ("batch", 1, 8, 8), low=0.0, high=1.0),),
    outputs=(TensorSpec("scores", "float32", ("batch", 10)),),
)


@dataclass
class Building:
    """What the ahead-of-time step asks of its context."""

    spec: ModelSpec
    folder: Path
    device: str = "cpu"
    static_batch: int | None = None

    def progress(self, fraction: float | None, text: str = "", **data: Any) -> None:
        assert text

    def example(self) -> dict[str, Any]:
        return random_feeds(self.spec, self.static_batch or 2, seed=0)


@pytest.fixture(scope="session")
def module() -> torch.nn.Module:
    torch.set_num_threads(1)
    network = catalog.build("sample.digits", {})
    network.load_state_dict(load_file(WEIGHTS))
    return network.eval()


@pytest.fixture(scope="session")
def artifacts(module: torch.nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Artifact]:
    """Make the model in one format, once for each kind of device that matters to it."""
    folder = tmp_path_factory.mktemp("artifacts")
    made: dict[str, Artifact] = {}

    def get(format: str, device: str = "cpu") -> Artifact:
        if format == "aot-inductor":
            key = f"{format}-{device[:4]}"
            if key not in made:
                made[key] = compile_ahead(get("exported-program"), folder / key, device)
            return made[key]
        if format not in made:
            made[format] = Artifact(format, MAKERS[format](module, folder), key=format)
        return made[format]

    return get


def compile_ahead(program: Artifact, folder: Path, device: str) -> Artifact:
    folder.mkdir()
    return AotCompile().apply(program, Building(DIGITS, folder, device))  # type: ignore[arg-type]


def make_module(module: torch.nn.Module, folder: Path) -> Path:
    return torch_module.write(folder / "module", "sample.digits", {}, module.state_dict())


def make_script(module: torch.nn.Module, folder: Path) -> Path:
    path = folder / "model.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(module, torch.rand(2, 1, 8, 8)), str(path))
    return path


def make_program(module: torch.nn.Module, folder: Path) -> Path:
    path = folder / "model.pt2"
    batch = torch.export.Dim("batch", min=1, max=64)
    torch.export.save(torch.export.export(module, (torch.rand(2, 1, 8, 8),), dynamic_shapes=({0: batch},)), path)
    return path


def make_onnx(module: torch.nn.Module, folder: Path) -> Path:
    path = folder / "model.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (torch.rand(2, 1, 8, 8),),
            str(path),
            dynamo=False,
            input_names=["pixels"],
            output_names=["scores"],
            dynamic_axes={"pixels": {0: "batch"}, "scores": {0: "batch"}},
        )
    return path


MAKERS: dict[str, Callable[[torch.nn.Module, Path], Path]] = {
    "torch-module": make_module,
    "torchscript": make_script,
    "exported-program": make_program,
    "onnx": make_onnx,
}
FORMATS = (*MAKERS, "aot-inductor")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Site]:
    """Where a session is opened; the CPU unless told otherwise. The cache is shared, as it is in use."""
    folder = tmp_path_factory.mktemp("site")

    def make(device: str = "cpu", batch_size: int = 2) -> Site:
        return Site(device, 1, batch_size, folder, folder / "cache")

    return make


@pytest.fixture(scope="session")
def feeds() -> dict[str, Any]:
    return random_feeds(DIGITS, 2, seed=1)


@pytest.fixture(scope="session")
def expected(module: torch.nn.Module) -> Callable[[dict[str, Any]], np.ndarray]:
    """What the module answers on the CPU."""

    def ask(feeds: dict[str, Any]) -> np.ndarray:
        with torch.inference_mode():
            answer: np.ndarray = module(torch.from_numpy(feeds["pixels"])).numpy()
        return answer

    return ask


def package_file(package: str, name: str) -> Path:
    """A file inside an installed package; skips the test where the package is not installed."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"{package} is not installed")
    return Path(spec.submodule_search_locations[0]) / name
