"""One `serve` worker: a process that holds one artifact open, and the pipes to it."""

from __future__ import annotations

import os
import select
import shutil
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from engine.errors import OptibenchError, PhaseFailed
from engine.schedule.work import environment_of
from engine.worker.jobs import ServeJob
from engine.worker.launch import ROOT, judge
from engine.worker.protocol import LOG, Event, read_events, read_result, write_job
from engine.worker.sandbox import cache_environment, mentioned, wrap
from engine.worker.serving import IMAGE, Question, Reply, read_arrays, read_reply, write_line
from engine.worker.watch import kill

POLL_S = 0.05
LAST_CALLS = 200


@dataclass(frozen=True)
class Answer:
    """What one variant gave for one input.

    `first_call_ms` and `load_s` are of when it was opened; `median_ms` is over the last `calls`
    calls after the first, None while there is none. All are device-resident.
    """

    outputs: tuple[np.ndarray, ...]
    latency_ms: float
    first_call_ms: float
    load_s: float
    median_ms: float | None
    calls: int
    picture: np.ndarray | None = None


@dataclass(frozen=True)
class Asked:
    """One input for some variants, and where the answers go: one for each, or the error that it met."""

    jobs: dict[str, ServeJob]
    question: Question
    image: bytes
    on_event: Callable[[Event], None]
    cancelled: Callable[[], bool]
    answers: Future[dict[str, Answer | OptibenchError]] = field(default_factory=Future)


class LiveWorker:
    """Starts with an artifact, answers questions, ends with `close`, with its parent, or by itself.

    It must be made by a thread that lives at least as long as the worker, because the kernel ends
    a worker with the thread that started it.
    """

    def __init__(self, job: ServeJob, folder: Path) -> None:
        self.job = job
        self.folder = folder
        self.seen = 0
        self.load_s = self.first_call_ms = 0.0
        self.recent: deque[float] = deque(maxlen=LAST_CALLS)
        self.buffer = b""
        write_job(folder, job)
        arguments = [sys.executable, "-m", "engine.worker", str(folder)]
        outputs, inputs = mentioned(job)
        command = wrap(arguments, writable=(folder, *outputs), readable=inputs)
        with (folder / LOG).open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={
                    **cache_environment(),
                    **os.environ,
                    **environment_of(job.workload, "serve"),
                    "OPTIBENCH_PARENT": str(os.getpid()),
                    "PYTHONUNBUFFERED": "1",
                },
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.questions, self.answers = self.process.stdin, self.process.stdout

    def opened(self, asked: Asked) -> None:
        """Wait until the artifact is open; raises PhaseFailed with the reason why it can't be."""
        self.load_s = self.reply(asked).load_s or 0.0

    def ask(self, asked: Asked) -> Answer:
        """Run one input; raises PhaseFailed when the worker could not, and it is then gone unless it says so."""
        if asked.question.kind == "image":
            (self.folder / IMAGE).write_bytes(asked.image)
        try:
            write_line(self.questions, asked.question)
        except BrokenPipeError as error:
            raise self.ended("exited") from error
        reply = self.reply(asked)
        if reply.status != "ok":
            raise PhaseFailed(reply.status, reply.reason, reply.hint)
        times = [each / 1e6 for each in reply.times_ns]
        if reply.first:
            self.first_call_ms = times[0]
        self.recent.extend(times[1:] if reply.first else times)
        outputs, picture = read_arrays(self.folder, reply.outputs)
        return Answer(
            outputs=tuple(outputs),
            latency_ms=times[-1],
            first_call_ms=self.first_call_ms,
            load_s=self.load_s,
            median_ms=statistics.median(self.recent) if self.recent else None,
            calls=len(self.recent),
            picture=picture,
        )

    def reply(self, asked: Asked) -> Reply:
        """The next answer; raises PhaseFailed when there will be none, and the worker is then gone."""
        deadline = time.monotonic() + self.job.workload.timeout_s
        while b"\n" not in self.buffer:
            for each in read_events(self.folder, self.seen):
                self.seen += 1
                asked.on_event(each)
            if asked.cancelled():
                raise self.ended("cancelled")
            if time.monotonic() > deadline:
                raise self.ended("timeout")
            if select.select([self.answers], [], [], POLL_S)[0]:
                read = os.read(self.answers.fileno(), 1 << 16)
                if not read:
                    raise self.ended("exited")
                self.buffer += read
        line, _, self.buffer = self.buffer.partition(b"\n")
        return read_reply(line)

    def ended(self, how: str) -> OptibenchError:
        """End the worker and say why it gave no answer: in its own words where it left some."""
        if how == "exited":
            self.wait_for_result()
        kill(self.process)
        outcome = read_result(self.folder) if how == "exited" else None
        if outcome is None or outcome.status == "ok":
            outcome = judge(how, self.process.returncode, self.job.workload.timeout_s)
        hint = "Run it again." if outcome.status in ("cancelled", "timeout") else outcome.hint
        return PhaseFailed(outcome.status, outcome.reason, hint)

    def wait_for_result(self) -> None:
        """Give a worker that closed its pipe the moment it needs to leave by itself."""
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            return

    def alive(self) -> bool:
        """Whether it can still be asked."""
        return self.process.poll() is None

    def close(self) -> None:
        """End the worker, everything it started, and its folder."""
        kill(self.process)
        self.questions.close()
        self.answers.close()
        shutil.rmtree(self.folder, ignore_errors=True)
