"""Every way a worker can end becomes an outcome with a status, a sentence and a next step."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.worker.jobs import ProbeJob
from engine.worker.launch import ROOT, launch
from engine.worker.protocol import Event, Outcome

SITE = Path(__file__).parent / "misbehaving"


def misbehave(folder: Path, how: str, **options: object) -> Outcome:
    environment = {"PYTHONPATH": f"{SITE}:{ROOT}", "MISBEHAVE": how, "PIDS": str(folder / "pids")}
    folder.mkdir(exist_ok=True)
    return launch(ProbeJob(), folder, environment=environment, **options)  # type: ignore[arg-type]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(*pids: int, within_s: float = 5.0) -> bool:
    """Whether processes end within some seconds; a killed one may take a moment."""
    deadline = time.monotonic() + within_s
    while any(alive(each) for each in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not any(alive(each) for each in pids)


@pytest.fixture(autouse=True, params=["off", "auto"])
def sandbox(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    monkeypatch.setenv("OPTIBENCH_SANDBOX", request.param)
    monkeypatch.setenv("OPTIBENCH_HOME", str(tmp_path / "home"))
    return str(request.param)


@pytest.mark.parametrize(
    ("how", "status", "word"),
    [
        ("crash", "crashed", "SIGSEGV"),
        ("killed", "oom", "killed"),
        ("memory", "oom", "Memory"),
        ("traceback", "failed", "ValueError: the first line"),
        ("refusal", "failed", "The file is empty."),
        ("leave", "crashed", "exit code 7"),
    ],
)
def test_every_end_has_a_reason(tmp_path: Path, how: str, status: str, word: str) -> None:
    outcome = misbehave(tmp_path / "job", how)
    assert outcome.status == status
    assert word in outcome.reason
    assert outcome.hint
    assert "engine.worker" in outcome.command


def test_a_timeout_kills_the_worker_and_its_children(tmp_path: Path) -> None:
    outcome = misbehave(tmp_path / "job", "sleep", timeout_s=3.0)
    assert outcome.status == "timeout"
    pids = [int(each) for each in (tmp_path / "job" / "pids").read_text().split()]
    assert gone(*pids)


def test_cancelling_ends_a_worker_that_does_not_listen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.worker.watch.GRACE_S", 0.5)
    events: list[Event] = []
    outcome = misbehave(tmp_path / "job", "sleep", on_event=events.append, cancelled=lambda: bool(events))
    assert outcome.status == "cancelled"
    assert [each.text for each in events] == ["Half way"]


def test_a_worker_dies_with_its_parent(tmp_path: Path) -> None:
    folder = tmp_path / "job"
    code = (
        "from pathlib import Path; from tests.worker.test_launch import misbehave; "
        f"misbehave(Path({str(folder)!r}), 'sleep')"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    deadline = time.monotonic() + 30
    while not (folder / "pids").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    worker = int((folder / "pids").read_text().split()[0])
    assert alive(worker)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert gone(worker)
