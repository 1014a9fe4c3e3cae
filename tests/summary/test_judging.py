"""What accuracy says about a variant that ran."""

from __future__ import annotations

import pytest

from engine.document import Interval, Result
from engine.measurement import Accuracy, Parity
from engine.summary.judging import judged

LOSSY = Parity(None, relative_l2=0.8, judged_by="accuracy")


def result(accuracy: Accuracy | None, change: Interval | None, parity: Parity = LOSSY) -> Result:
    return Result(1, "ok", parity=parity, accuracy=accuracy, accuracy_difference=change)


@pytest.mark.parametrize(
    ("found", "status"),
    [
        (result(Accuracy(0.97, 0.95, 0.98, 450), Interval(-0.02, -0.03, -0.01)), "ok"),
        (result(Accuracy(0.60, 0.55, 0.65, 450), Interval(-0.38, -0.43, -0.33)), "suspect"),
        (result(Accuracy(0.90, 0.80, 0.95, 30), Interval(-0.08, -0.18, 0.02)), "ok"),
        (result(Accuracy(0.60, 0.55, 0.65, 450), Interval(-0.38, -0.43, -0.33), Parity(True)), "suspect"),
        (result(Accuracy(0.99, 0.98, 1.0, 450, kind="agreement"), None), "ok"),
        (result(Accuracy(0.40, 0.35, 0.45, 450, kind="agreement"), None), "suspect"),
        (result(None, None), "suspect"),
        (result(None, None, Parity(True)), "ok"),
    ],
)
def test_accuracy_decides_about_what_is_meant_to_differ(found: Result, status: str) -> None:
    assert judged(found).status == status
    assert bool(judged(found).reason) == (status == "suspect")
