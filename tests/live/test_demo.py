"""The same input through two open artifacts; workers that end when they should, and never stay behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.data import prepared
from engine.errors import OptibenchError, PhaseFailed
from engine.live.demo import Demo
from engine.live.folders import sweep
from engine.live.reading import differences, prediction
from engine.live.worker import Answer
from engine.schedule.locks import device_lock
from engine.settings import Settings
from engine.spec import Use
from engine.worker.jobs import ServeJob
from engine.worker.launch import ROOT
from engine.worker.serving import Question
from tests.live.conftest import SPEC, Digits


def left(home: Settings) -> list[str]:
    return [each.name for each in home.jobs.glob("live-*")]


def ended(pid: int, within_s: float = 5.0) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False


def answer(demo: Demo, job: ServeJob, question: Question | None = None, **options: object) -> Answer:
    found = demo.ask({"a": job}, question or Question("random"), **options)["a"]  # type: ignore[arg-type]
    if isinstance(found, OptibenchError):
        raise found
    return found


def test_eager_and_onnxruntime_agree_on_a_sample(demo: Demo, digits: Digits) -> None:
    glance = prepared.glance(digits.prepared)
    assert glance.labels is not None
    index = int(glance.test[0])
    jobs = {"eager": digits.eager, "onnx": digits.onnx}
    found = demo.ask(jobs, Question("sample", index=index))
    eager, onnx = found["eager"], found["onnx"]
    assert isinstance(eager, Answer)
    assert isinstance(onnx, Answer)
    assert (eager.median_ms, eager.calls) == (None, 0)
    assert eager.latency_ms == eager.first_call_ms > 0
    for each in (eager, onnx):
        said = prediction(each.outputs, SPEC)
        assert said is not None
        assert said.label == str(glance.labels[index])
    (compared,) = differences(eager.outputs, onnx.outputs, SPEC)
    assert compared.relative_l2 is not None
    assert compared.relative_l2 < 1e-4

    again = demo.ask(jobs, Question("sample", index=index, calls=50))["eager"]
    assert isinstance(again, Answer)
    assert again.calls == 50
    assert again.median_ms is not None
    assert again.first_call_ms == eager.first_call_ms
    assert np.array_equal(again.outputs[0], eager.outputs[0])


def test_an_uploaded_image_is_shown_as_the_model_sees_it(demo: Demo, digits: Digits) -> None:
    import io

    from PIL import Image

    stream = io.BytesIO()
    Image.new("RGB", (40, 30), "white").save(stream, "png")
    found = answer(demo, digits.onnx, Question("image"), image=stream.getvalue())
    assert found.picture is not None
    assert found.picture.shape == (8, 8, 1)
    assert found.picture.min() == 255
    worker = demo.workers["a"].process.pid
    with pytest.raises(PhaseFailed, match="This file can't be read as an image"):
        answer(demo, digits.onnx, Question("image"), image=b"no image")
    assert answer(demo, digits.onnx, Question("random")).calls == 1
    assert demo.workers["a"].process.pid == worker


def test_a_worker_outlives_the_thread_that_asked_and_ends_when_idle(home: Settings, tiny: ServeJob) -> None:
    demo = Demo(home, idle_s=1.5)
    asking = threading.Thread(target=answer, args=(demo, tiny))
    asking.start()
    asking.join()
    pid = demo.workers["a"].process.pid
    time.sleep(0.5)
    assert answer(demo, tiny).calls == 1
    assert demo.workers["a"].process.pid == pid
    assert ended(pid)
    time.sleep(0.2)
    assert (demo.workers, demo.keeper, left(home)) == ({}, None, [])


def test_closing_ends_the_workers_and_the_next_question_opens_them_again(
    demo: Demo, home: Settings, tiny: ServeJob
) -> None:
    answer(demo, tiny)
    pid = demo.workers["a"].process.pid
    demo.close()
    assert ended(pid)
    assert left(home) == []
    assert answer(demo, tiny).calls == 0


def test_a_killed_worker_is_one_sentence_and_the_next_question_opens_it_again(demo: Demo, tiny: ServeJob) -> None:
    answer(demo, tiny)
    os.killpg(demo.workers["a"].process.pid, signal.SIGKILL)
    demo.workers["a"].process.wait(5)  # a leader without its threads is a zombie that still counts as running
    assert answer(demo, tiny).calls == 0
    os.killpg(demo.workers["a"].process.pid, signal.SIGSTOP)
    threading.Timer(0.5, os.killpg, (demo.workers["a"].process.pid, signal.SIGKILL)).start()
    with pytest.raises(PhaseFailed) as caught:
        answer(demo, tiny)
    assert caught.value.status in ("oom", "crashed")
    assert caught.value.hint
    assert demo.workers == {}


def test_a_variant_that_can_not_open_leaves_the_other_alone(demo: Demo, tiny: ServeJob, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(tiny.artifact, broken)
    (broken / "model.onnx").write_bytes(b"garbage")
    found = demo.ask({"good": tiny, "bad": replace(tiny, artifact=str(broken))}, Question("random"))
    assert isinstance(found["good"], Answer)
    assert isinstance(found["bad"], OptibenchError)
    assert found["bad"].reason
    assert set(demo.workers) == {"good"}


def test_a_runtime_that_is_not_there_says_so(demo: Demo, tiny: ServeJob) -> None:
    with pytest.raises(PhaseFailed, match="no runtime named 'nothing'"):
        answer(demo, replace(tiny, runtime=Use("nothing")))


def test_a_running_measurement_is_not_disturbed(demo: Demo, tiny: ServeJob) -> None:
    with device_lock("cpu"), pytest.raises(PhaseFailed, match="A measurement is running on cpu"):
        answer(demo, tiny)
    answer(demo, tiny)
    pid = demo.workers["a"].process.pid
    with device_lock("cpu"):
        assert ended(pid)


def test_cancelling_ends_what_is_being_opened(demo: Demo, home: Settings, tiny: ServeJob) -> None:
    with pytest.raises(PhaseFailed, match="Cancelled"):
        answer(demo, tiny, cancelled=lambda: bool(demo.workers))  # as soon as one has been started
    assert (demo.workers, left(home)) == ({}, [])


def test_an_error_of_the_keeper_leaves_nobody_waiting(
    demo: Demo, tiny: ServeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise OSError("no more files")

    monkeypatch.setattr(demo, "answer_all", broken)
    monkeypatch.setattr(threading, "excepthook", lambda args: None)
    with pytest.raises(PhaseFailed, match="stopped by an error"):
        answer(demo, tiny)
    assert demo.keeper is None


@pytest.mark.parametrize("sandbox", ["off", "auto"])
def test_workers_die_with_a_killed_server(home: Settings, tiny: ServeJob, sandbox: str) -> None:
    code = (
        "import sys, time; from engine import settings; from engine.live.demo import Demo;"
        "from engine.worker.protocol import read_job; from engine.worker.serving import Question;"
        "from pathlib import Path;"
        "demo = Demo(settings.load()); demo.ask({'a': read_job(Path(sys.argv[1]))}, Question('random'));"
        "print(demo.workers['a'].process.pid, flush=True); time.sleep(60)"
    )
    from engine.worker.protocol import write_job

    write_job(home.home / "job", tiny)
    server = subprocess.Popen(
        [sys.executable, "-c", code, str(home.home / "job")],
        cwd=ROOT,
        env={**os.environ, "OPTIBENCH_SANDBOX": sandbox},
        stdout=subprocess.PIPE,
    )
    assert server.stdout is not None
    pid = int(server.stdout.readline())
    assert not ended(pid, 0.2)
    server.kill()
    server.wait()
    assert ended(pid)
    assert left(home)
    sweep(home.jobs)
    assert left(home) == []
