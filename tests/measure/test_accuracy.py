"""Accuracy and agreement, through both phases."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import stats
from engine.data import prepared
from engine.measure import accuracy, reference_file
from engine.measurement import Measurement
from tests.measure import models
from tests.measure.sessions import Sleeper

Refer = Callable[..., dict[str, Any]]
Bench = Callable[..., list[Measurement]]


class Counting(Sleeper):
    """Scores class k for the k-th sample it is given."""

    def bind(self, feeds: Any) -> None:
        self.x = feeds["x"]

    def fetch(self) -> list[np.ndarray]:
        return [np.eye(4)[self.x[:, 0].astype(int)]]


def test_a_slow_model_sees_a_fair_part_and_the_reference_says_which(tmp_path: Path) -> None:
    spec = models.classifier(tmp_path / "m").spec
    feeds = {"x": np.repeat(np.arange(40)[:, None] % 4, 8, axis=1)}
    data = prepared.Prepared("made", "digest", feeds, np.arange(40) % 4)
    scored = accuracy.score(Counting(0, 0), spec, 16, data, seed=0, budget_s=0.0)
    assert len(scored.order) == 16
    assert len(set(scored.order // 10)) == 4
    assert accuracy.judge(scored, data.labels, None).value == 1.0
    known = accuracy.predictions(scored, 40)
    assert (known == accuracy.UNSCORED).sum() == 24
    whole = accuracy.score(Counting(0, 0), spec, 16, data, seed=0)
    assert len(whole.order) == 40
    assert accuracy.judge(whole, None, known).samples == 16


def test_accuracy_on_labels(tmp_path: Path, refer: Refer, bench: Bench, labelled: Callable[..., str]) -> None:
    made = models.classifier(tmp_path / "m")
    data = labelled(np.arange(50) % 4)
    assert refer(made, data=data)["evidence"] == "data"
    predictions = reference_file.read_predictions(tmp_path / "reference")
    assert predictions is not None
    found = bench(made, data=data, extras=("parity", "accuracy"))
    for each in found:
        assert each.accuracy is not None
        assert (each.accuracy.kind, each.accuracy.samples) == ("accuracy", 50)
        assert each.accuracy.value == np.mean(predictions == np.arange(50) % 4)
        assert each.accuracy.low < each.accuracy.value < each.accuracy.high
        flags = stats.decode_flags(each.accuracy.correct, 50)
        assert flags.mean() == each.accuracy.value
    assert found[0].parity is not None
    assert found[0].parity.evidence == "data"


def test_agreement_without_labels(tmp_path: Path, refer: Refer, bench: Bench, labelled: Callable[..., str]) -> None:
    data = labelled(None)
    refer(models.classifier(tmp_path / "m"), data=data)
    same = bench(models.classifier(tmp_path / "same", scale="2.0"), data=data, extras=("accuracy",), batch_sizes=(4,))
    other = bench(
        models.classifier(tmp_path / "other", scale="-1.0"), data=data, extras=("accuracy",), batch_sizes=(4,)
    )
    assert same[0].accuracy is not None
    assert other[0].accuracy is not None
    assert (same[0].accuracy.kind, same[0].accuracy.value) == ("agreement", 1.0)
    assert other[0].accuracy.value == 0.0


def test_a_binary_logit_has_an_accuracy(
    tmp_path: Path, refer: Refer, bench: Bench, labelled: Callable[..., str]
) -> None:
    data = labelled(np.arange(50) % 2)
    refer(models.binary(tmp_path / "m"), data=data)
    found = bench(models.binary(tmp_path / "m"), data=data, extras=("accuracy",))
    assert found[0].accuracy is not None
    assert found[0].accuracy.samples == 50
    assert found[0].accuracy.value == found[1].accuracy.value if found[1].accuracy else False


@pytest.mark.parametrize(
    ("model", "words"), [(models.classifier, "the model tells 4 classes apart"), (models.constant, "class scores")]
)
def test_labels_that_do_not_fit_say_why(
    model: Callable[[Path], models.Made],
    words: str,
    tmp_path: Path,
    refer: Refer,
    bench: Bench,
    labelled: Callable[..., str],
) -> None:
    data = labelled(np.arange(50) % 7)
    made = model(tmp_path / "m")
    assert words in refer(made, data=data)["accuracy_reason"]
    found = bench(made, data=data, extras=("accuracy",))
    assert found[0].accuracy is None
    assert words in found[0].details["accuracy_reason"]
