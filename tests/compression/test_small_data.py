"""A data set of a handful of samples is for testing alone: conversions work, training says why it can't."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.data import prepared
from engine.data.splits import split_indices
from tests.compression.conftest import Bench


@pytest.fixture
def few(bench: Bench, tmp_path: Path) -> Bench:
    part = bench.data().take(np.arange(5))
    splits = split_indices(None, part.labels, 5, seed=0)
    prepared.write(tmp_path / "few", replace(part, splits=splits, digest="few"))
    bench.prepared = tmp_path / "few"
    return bench


def test_tracing_works(few: Bench) -> None:
    assert few.ok("trace").format == "torchscript"


@pytest.mark.parametrize("route", ["finetune", "distill", "static-int8", "qat-int8", "sensitivity"])
def test_training_and_calibration_say_why_not(few: Bench, route: str) -> None:
    reason, hint = few.fails(route)
    assert "none of them is for" in reason
    assert "at least 10 samples" in hint
