from __future__ import annotations

from pathlib import Path

import pytest

from tests.schedule.made import tiny_onnx


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    patch = pytest.MonkeyPatch()
    patch.setenv("OPTIBENCH_HOME", str(folder / "home"))
    patch.setenv("OPTIBENCH_LOCKS", str(folder / "locks"))
    patch.delenv("OPTIBENCH_DATABASE_URL", raising=False)
    yield folder / "home"
    patch.undo()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_onnx(tmp_path_factory.mktemp("models") / "tiny.onnx")
