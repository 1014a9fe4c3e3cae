"""Verify, then time one artifact in one runtime, batch size after batch size."""

from __future__ import annotations

import traceback
from dataclasses import replace
from time import perf_counter
from typing import Any

from engine.errors import OptibenchError, PhaseFailed
from engine.measurement import Measurement
from engine.spec import Status, to_json
from engine.worker.batch import failed, measure_batch
from engine.worker.bench import Bench, set_up
from engine.worker.explaining import explain
from engine.worker.jobs import MeasureJob
from engine.worker.preloading import preload
from engine.worker.protocol import Reporter
from engine.worker.sweeping import dynamic_artifact, sweep

RAN = ("ok", "suspect")


def run(job: MeasureJob, report: Reporter) -> dict[str, Any]:
    """Carry out the phase; see MeasureJob."""
    import_s = preload(next(iter(job.artifacts.values()), ""), job.runtime)
    report.await_turn()
    bench = set_up(job, report)
    bench.import_s = import_s
    measurements: list[Measurement] = []
    for number, batch_size in enumerate(job.batch_sizes):
        bench.stop_if_cancelled()
        report(number / len(job.batch_sizes), f"Batch size {batch_size}")
        measurement = guarded(bench, batch_size)
        measurements.append(measurement)
        report((number + 1) / len(job.batch_sizes), f"Batch size {batch_size} done", measurement=to_json(measurement))
    if "sweep" in job.extras:
        add_sweep(bench, measurements)
    return {"measurements": to_json(measurements)}


def guarded(bench: Bench, batch_size: int) -> Measurement:
    """Measure one batch size; what goes wrong becomes its status, and the others go on."""
    try:
        return measure_batch(bench, batch_size)
    except Exception as error:  # the border of one batch size: whatever a library raises is its result
        if isinstance(error, PhaseFailed) and error.status == "cancelled":
            raise
        return failed(bench, batch_size, *explained(error))


def explained(error: Exception) -> tuple[Status, str, str]:
    """The status, sentence and next step of an exception."""
    traceback.print_exception(error)
    if isinstance(error, OptibenchError):
        return error.status, error.reason, error.hint  # type: ignore[return-value]
    outcome = explain(error)
    return outcome.status, outcome.reason, outcome.hint


def add_sweep(bench: Bench, measurements: list[Measurement]) -> None:
    """Attach a throughput sweep to the first batch size that ran, and report that one again."""
    first = next((number for number, each in enumerate(measurements) if each.status in RAN), None)
    artifact = dynamic_artifact(bench) if first is not None else None
    if first is None or artifact is None:
        return
    began = perf_counter()
    points = sweep(bench, artifact, explained)
    spent = {**measurements[first].spent_s, "sweep": perf_counter() - began}
    measurements[first] = replace(measurements[first], sweep=points, spent_s=spent)
    bench.report(1.0, "Throughput over batch sizes", measurement=to_json(measurements[first]))
