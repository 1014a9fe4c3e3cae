"""Opening an upload in this process, as the inspect phase does in a worker."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.spec import ModelSpec, from_json
from engine.worker.jobs import InspectJob
from engine.worker.phases import inspect
from engine.worker.protocol import Reporter

Opener = Callable[..., ModelSpec]


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("OPTIBENCH_HOME", str(folder))
    return folder


@pytest.fixture
def opened(tmp_path: Path, home: Path) -> Opener:
    """Inspect a file; the artifact is in `tmp_path / "artifact"`, which has to be empty after an error."""

    def open_it(path: Path | str, **job: Any) -> ModelSpec:
        folder = tmp_path / "artifact"
        shutil.rmtree(folder, ignore_errors=True)
        try:
            value = inspect.run(InspectJob(str(path), str(folder), **job), Reporter(home))
        except Exception:
            assert not folder.exists() or not list(folder.iterdir()), "something half-written was left"
            raise
        assert (folder / "artifact.json").exists()
        return from_json(ModelSpec, value["spec"])

    return open_it
