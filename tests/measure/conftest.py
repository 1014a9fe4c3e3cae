"""Run reference and measure phases in this process, and put back what they change."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.data import prepared
from engine.measure import clock
from engine.measurement import Measurement
from engine.spec import Use, Workload, from_json
from engine.worker.jobs import MeasureJob, ReferenceJob
from engine.worker.phases import measure, reference
from engine.worker.protocol import Reporter, read_events
from tests.measure.models import Made

WORKLOAD = Workload(batch_sizes=(1, 4), seconds=0.0, calls=5, warmup_calls=2, warmup_seconds=0.0, threads=1)


@pytest.fixture(autouse=True)
def process_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Measuring pins the process and bounds its threads: undo that; and don't wait for a busy machine to settle."""
    monkeypatch.setattr(clock, "LONGEST_SETTLING_S", 0.05)
    cpus = os.sched_getaffinity(0)
    before = dict(os.environ)
    yield
    os.sched_setaffinity(0, cpus)
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def refer(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Run the reference phase into `tmp_path / "reference"`."""

    def run(made: Made, *, data: str = "", **changes: Any) -> dict[str, Any]:
        folder = tmp_path / "reference"
        job = ReferenceJob(made.spec, made.folder, replace(WORKLOAD, **changes), str(folder), prepared=data)
        return reference.run(job, reporter(tmp_path / "reference job"))

    return run


@pytest.fixture
def bench(tmp_path: Path) -> Callable[..., list[Measurement]]:
    """Run the measure phase against that reference; events and values must agree."""

    def run(
        made: Made,
        *,
        data: str = "",
        runtime: str = "onnxruntime",
        extras: tuple[str, ...] = ("parity",),
        **changes: Any,
    ) -> list[Measurement]:
        workload = replace(WORKLOAD, **changes)
        job = MeasureJob(
            made.spec,
            dict.fromkeys(workload.batch_sizes, made.folder),
            Use(runtime),
            workload,
            workload.batch_sizes,
            reference=str(tmp_path / "reference") if (tmp_path / "reference").exists() else "",
            prepared=data,
            extras=extras,
        )
        report = reporter(tmp_path / f"measure job {len(list(tmp_path.iterdir()))}")
        found = from_json(list[Measurement], measure.run(job, report)["measurements"])
        told = {
            each.data["measurement"]["batch_size"]: from_json(Measurement, each.data["measurement"])
            for each in read_events(report.folder)
            if "measurement" in each.data
        }
        assert list(told.values()) == found
        return found

    return run


def reporter(folder: Path) -> Reporter:
    folder.mkdir(exist_ok=True)
    return Reporter(folder)


@pytest.fixture
def labelled(tmp_path: Path) -> Callable[..., str]:
    """A prepared data set for the inputs called x, of eight numbers each."""

    def make(labels: np.ndarray | None, samples: int = 50) -> str:
        feeds = {"x": np.random.default_rng(5).standard_normal((samples, 8)).astype(np.float32)}
        splits = {"test": np.arange(samples)}
        prepared.write(tmp_path / "data", prepared.Prepared("made", "digest", feeds, labels, splits))
        return str(tmp_path / "data")

    return make
