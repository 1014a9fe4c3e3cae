"""What a worker can reach under bubblewrap, and what happens without it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import MissingDependency
from engine.worker import sandbox
from engine.worker.jobs import InspectJob, ProbeJob
from engine.worker.launch import ROOT, launch

SITE = Path(__file__).parent / "misbehaving"
needs_bubblewrap = pytest.mark.skipif(bool(sandbox.probe()), reason=sandbox.probe() or "works")


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def explore(folder: Path, home: Path, port: int) -> dict[str, bool]:
    environment = {
        "PYTHONPATH": f"{SITE}:{ROOT}",
        "MISBEHAVE": "explore",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "FOLDER": str(folder),
        "OPTIBENCH_HOME": str(home),
    }
    home.mkdir(exist_ok=True)
    return launch(ProbeJob(), folder, environment=environment).value


@needs_bubblewrap
def test_a_worker_reaches_its_folder_and_nothing_else(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPTIBENCH_SANDBOX", "auto")
    monkeypatch.setenv("OPTIBENCH_HOME", str(tmp_path / "home"))
    reached = explore(tmp_path / "job", tmp_path / "home", port)
    assert reached == {
        "network": False,
        "source": False,
        "home": False,
        "tmp": True,
        "folder": True,
        "shared_memory": True,
    }
    assert (tmp_path / "job" / "written").exists()
    assert not Path("/tmp/optibench-private").exists()


def test_the_same_worker_reaches_the_network_without_a_sandbox(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPTIBENCH_SANDBOX", "off")
    monkeypatch.setenv("OPTIBENCH_HOME", str(tmp_path / "home"))
    assert explore(tmp_path / "job", tmp_path / "home", port)["network"]
    for left in (ROOT / "engine" / "written", Path("/tmp/optibench-private"), Path("/dev/shm/optibench-test")):
        left.unlink(missing_ok=True)


def test_a_required_sandbox_that_is_missing_stops_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPTIBENCH_SANDBOX", "required")
    monkeypatch.setenv("OPTIBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sandbox, "probe", lambda: "bubblewrap is not installed")
    with pytest.raises(MissingDependency, match="required"):
        sandbox.state()
    outcome = launch(ProbeJob(), tmp_path / "job")
    assert outcome.status == "failed"
    assert "bubblewrap" in outcome.hint


def test_without_bubblewrap_auto_says_that_nothing_is_isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPTIBENCH_SANDBOX", "auto")
    monkeypatch.setenv("OPTIBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sandbox, "probe", lambda: "bubblewrap is not installed")
    assert not sandbox.state().active
    assert "not isolated" in sandbox.state().note
    assert sandbox.wrap(["python"], writable=(), readable=()) == ["python"]


def test_a_job_names_what_its_worker_may_write_and_read(tmp_path: Path) -> None:
    outputs, inputs = sandbox.mentioned(InspectJob(path="/tmp/model.onnx", folder="/tmp/artifact"))
    assert outputs == [Path("/tmp/artifact")]
    assert Path("/tmp/model.onnx") in inputs


def test_a_link_inside_a_bound_folder_is_not_bound_again(tmp_path: Path) -> None:
    environment, elsewhere = tmp_path / "venv" / "bin", tmp_path / "pythons"
    environment.mkdir(parents=True)
    elsewhere.mkdir()
    (elsewhere / "python3").touch()
    (environment / "python").symlink_to(elsewhere / "python3")
    bound = sandbox.visible([environment.parent, environment / "python"])
    assert bound == [elsewhere / "python3", environment.parent]
