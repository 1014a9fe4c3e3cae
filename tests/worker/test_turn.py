"""Workers that start side by side work one after another, and one that is no longer wanted never does."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import psutil
import pytest

from engine.artifact import Artifact, write_manifest
from engine.spec import ModelSpec, TensorSpec, Use, Workload
from engine.worker.jobs import MeasureJob
from engine.worker.launch import launch
from engine.worker.protocol import Outcome, read_events
from engine.worker.turn import Company, Turn, await_turn, held_back
from tests.schedule.made import tiny_onnx

SPEC = ModelSpec(
    name="tiny",
    format="onnx",
    inputs=(TensorSpec("x", "float32", ("batch", 4)),),
    outputs=(TensorSpec("y", "float32", ("batch", 2)),),
)


def measure(folder: Path, model: Path, turn: Turn) -> Outcome:
    workload = Workload(batch_sizes=(2,), rounds=1, seconds=0.02, calls=5, throughput=False)
    job = MeasureJob(SPEC, {2: str(model)}, Use("onnxruntime"), workload, (2,), extras=())
    outcome = launch(job, folder, turn=turn)
    turn.over()
    return outcome


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    write_manifest(folder, Artifact("onnx", tiny_onnx(folder / "model.onnx"), "key"))
    return folder


def test_workers_start_together_and_work_one_after_another(tmp_path: Path, model: Path) -> None:
    company, outcomes = Company(3), {}
    wanted = [True, False, True]

    def follow(index: int) -> None:
        turn = company.turn(index, lambda: wanted[index])
        outcomes[index] = measure(tmp_path / str(index), model, turn)

    threads = [threading.Thread(target=follow, args=(each,)) for each in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert [outcomes[each].status for each in range(3)] == ["ok", "cancelled", "ok"]
    ready, first_done = (list(read_events(tmp_path / str(each))) for each in (2, 0))
    assert ready[0].data == {"ready": True}
    assert ready[0].time < first_done[-1].time < ready[1].time, "the third was ready early and worked last"
    assert outcomes[2].startup_s > 0


def test_a_turn_comes_when_those_before_are_over(tmp_path: Path) -> None:
    company = Company(2)
    first, second = (company.turn(each, lambda: True) for each in range(2))
    first.ready()
    assert not first.wait(0.01), "the second is still starting"
    second.ready()
    assert first.wait(0.01)
    assert not second.wait(0.01)
    first.over()
    assert second.wait(0.01)


def test_a_worker_that_nobody_holds_back_goes_on_at_once(tmp_path: Path) -> None:
    began = time.monotonic()
    assert await_turn(tmp_path)
    turn = Company(1).turn(0, lambda: True)
    turn.hold(tmp_path)
    assert held_back(tmp_path)
    turn.give()
    assert await_turn(tmp_path)
    assert not held_back(tmp_path)
    assert time.monotonic() - began < 1.0


def test_a_turn_that_was_only_let_go_is_none(tmp_path: Path) -> None:
    turn = Company(1).turn(0, lambda: True)
    turn.hold(tmp_path)
    turn.over()
    assert not await_turn(tmp_path), "the parent died: nothing may start"


def test_a_worker_whose_watching_fails_is_ended(tmp_path: Path, model: Path) -> None:
    def fail() -> bool:
        raise RuntimeError("the database is gone")

    job = MeasureJob(SPEC, {2: str(model)}, Use("onnxruntime"), Workload(batch_sizes=(2,)), (2,), extras=())
    with pytest.raises(RuntimeError, match="the database is gone"):
        launch(job, tmp_path / "job", cancelled=fail)
    assert not [
        each for each in psutil.process_iter(["cmdline"]) if str(tmp_path / "job") in (each.info["cmdline"] or [])
    ]
