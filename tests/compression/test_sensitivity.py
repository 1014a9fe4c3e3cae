from __future__ import annotations

import numpy as np
import torch

from engine.analysis.sensitivity import pruned, rounded
from engine.formats import torch_module
from tests.compression.conftest import Bench


def test_scan_reports_every_layer_and_changes_nothing(bench: Bench) -> None:
    artifact = bench.ok("sensitivity(samples=200)")
    report = artifact.details["report"]
    assert len(report) == 4 * 4
    assert {row["kind"] for row in report} == {"accuracy"}
    worst = max(report, key=lambda row: row["relative_l2"])
    assert worst["amount"] == 0.9
    before, after = (torch_module.load(each).state_dict() for each in (bench.model / "module", artifact.path))
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_fewer_bits_err_more(bench: Bench) -> None:
    report = bench.ok("sensitivity(technique=quantize, samples=64)").details["report"]
    first = [row["relative_l2"] for row in report if row["layer"] == "features.3"]
    assert first == sorted(first)
    assert first[0] < 0.02


def test_needs_a_data_set(bench: Bench) -> None:
    assert "needs a data set" in bench.fails("sensitivity", dataset=False)[0]


def test_changes() -> None:
    weight = np.array([[1.0, -3.0, 2.0, 0.5]], np.float32)
    assert pruned(0.5, weight).tolist() == [[0.0, -3.0, 2.0, 0.0]]
    assert np.abs(rounded(8, weight) - weight).max() <= 3 / 127 / 2 + 1e-6
    assert set(rounded(2, weight).ravel().tolist()) <= {-3.0, 0.0, 3.0}
