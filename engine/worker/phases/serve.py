"""Open one artifact and answer the live demo's questions until its standard input ends."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns
from typing import IO, Any

from engine.artifact import read_manifest
from engine.errors import BadInput
from engine.measure import clock, cores
from engine.measure.opening import closing, open_session, runtime_for
from engine.measure.sequence import copied
from engine.runtimes.base import Session
from engine.worker.jobs import ServeJob
from engine.worker.protocol import Reporter
from engine.worker.question_feeds import feeds_for
from engine.worker.serving import Question, Reply, read_question, write_arrays, write_line

STDIN, STDOUT, STDERR = 0, 1, 2


def run(job: ServeJob, report: Reporter) -> dict[str, Any]:
    """Carry out the phase; see ServeJob. What a library raises while it runs ends the worker."""
    questions, answers = own_pipes()
    spec = job.spec.with_shapes(job.workload.shapes)
    artifact = read_manifest(Path(job.artifact))
    runtime = runtime_for(job.runtime, artifact, spec, job.workload.device)
    report(0.1, "Opening")
    began = perf_counter_ns()
    session = open_session(
        runtime,
        artifact,
        spec,
        job.workload,
        batch_size=job.batch_size,
        threads=cores.threads_for(job.workload.threads),
        folder=report.folder,
        cache=Path(job.cache) if job.cache else report.folder / "cache",
    )
    with closing(session):
        load_s = (perf_counter_ns() - began) / 1e9
        report(1.0, "Open")
        write_line(answers, Reply(load_s=load_s))
        respond = responder(job, session, report.folder)
        for line in questions:
            write_line(answers, respond(read_question(line)))
    return {}


def own_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Take standard input and output for questions and answers; what libraries print goes to the log."""
    questions, answers = os.dup(STDIN), os.dup(STDOUT)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, STDIN)
    os.close(nothing)
    os.dup2(STDERR, STDOUT)
    return os.fdopen(questions, "rb"), os.fdopen(answers, "wb")


def responder(job: ServeJob, session: Session, folder: Path) -> Callable[[Question], Reply]:
    """A function that runs one question's input and says how long its calls took."""
    calls = 0

    def respond(question: Question) -> Reply:
        nonlocal calls
        try:
            feeds, picture = feeds_for(job, question, folder)
        except BadInput as error:
            return Reply("failed", error.reason, error.hint)
        if calls:
            session.reset()
        session.bind(feeds)
        times = timed(session, 1)
        session.synchronize()
        outputs = [copied(each) for each in session.fetch()]
        if question.calls > 1:
            times += timed(session, question.calls - 1)
        write_arrays(folder, outputs, picture)
        first, calls = not calls, calls + len(times)
        return Reply(times_ns=tuple(times), first=first, outputs=len(outputs))

    return respond


def timed(session: Session, calls: int) -> list[int]:
    """The nanoseconds of each of some calls, by the session's own clock where it keeps one."""
    own = session.time_calls(calls)
    if own is not None:
        return own[0]
    call = clock.resident_call(session)
    with clock.undisturbed(session):
        return [call()[0] for _ in range(calls)]
