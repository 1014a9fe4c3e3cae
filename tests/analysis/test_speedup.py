"""Speed-ups against any baseline, round by round."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from engine.analysis.speedup import compared, speedup
from engine.frames import at_batch
from tests.documents import gpu_document, result


def test_the_documents_own_speed_up_is_kept() -> None:
    rows = compared(gpu_document(), "resident").set_index(["variant", "batch_size"])
    assert rows.loc[("trt", 1), "speedup"] == pytest.approx(3.4 / 0.401)


def test_another_baseline_turns_the_ratio_around() -> None:
    rows = compared(gpu_document(), "resident", "trt").set_index(["variant", "batch_size"])
    assert rows.loc[("eager", 1), "speedup"] == pytest.approx(0.401 / 3.4, rel=0.02)
    assert rows.loc[("eager", 1), "speedup_low"] < rows.loc[("eager", 1), "speedup_high"]
    assert bool(rows.loc[("trt", 1), "baseline"])


def test_latencies_are_never_mixed() -> None:
    document = gpu_document()
    resident = compared(document, "resident").set_index(["variant", "batch_size"])
    whole = compared(document, "end_to_end").set_index(["variant", "batch_size"])
    assert whole.loc[("trt", 1), "latency_ms"] == pytest.approx(0.401 * 1.1 + 0.05)
    assert resident.loc[("trt", 1), "latency_ms"] == 0.401


def test_a_baseline_that_ran_twice_a_round_is_paired_up() -> None:
    mine = result(1, 1.0, 1.0, 0.9, rounds=2)
    base = result(1, 2.0, 1.0, 0.9, rounds=4)
    found = speedup(mine, base, "resident")
    assert found is not None
    assert found.value == pytest.approx(2.0, rel=0.02)
    assert found.low is not None


def test_without_raw_samples_there_is_a_ratio_and_no_interval() -> None:
    mine, base = (replace(result(1, each, 1.0, 0.9), samples_ns={}) for each in (1.0, 2.0))
    found = speedup(mine, base, "resident")
    assert found is not None
    assert (found.value, found.low, found.different) == (2.0, None, None)


def test_one_batch_size_alone_gives_the_same_figures() -> None:
    document = gpu_document()
    whole, one = compared(document, "end_to_end"), compared(document, "end_to_end", "", 32)
    assert set(one["batch_size"]) == {32}
    pd.testing.assert_frame_equal(at_batch(one, 32), at_batch(whole, 32))
