from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.data import prepared
from engine.formats import torch_module
from engine.training.distillation import labelled_only, limit_labels, soft_loss
from engine.training.students import parse_arguments
from engine.training.tensors import Tensors
from tests.compression.conftest import Bench, accuracy, sample_model, scores


@pytest.fixture
def with_teacher(bench: Bench) -> Bench:
    bench.teachers["teacher"] = str(sample_model("digits_teacher", bench.place / "teacher"))
    return bench


def parameters(module: torch.nn.Module) -> int:
    return sum(each.numel() for each in module.parameters())


def test_narrower_student_reloads_and_classifies(bench: Bench) -> None:
    artifact = bench.ok("distill(student=narrower, epochs=3)")
    student = torch_module.load(artifact.path)
    assert parameters(student) < 0.35 * 25978
    assert accuracy(student, bench.data().split("test"), bench.spec) > 0.9
    assert artifact.details["distillation"]["parameters"] == {"student": parameters(student), "teacher": 25978}
    assert len(bench.curves()) == 4


def test_other_architecture_learns_from_another_model(with_teacher: Bench) -> None:
    route = 'distill(student=sample.digits, arguments="width=6", teacher=teacher, epochs=4, features=1)'
    student = torch_module.load(with_teacher.ok(route).path)
    assert parameters(student) < 6000
    assert accuracy(student, with_teacher.data().split("test"), with_teacher.spec) > 0.85


def test_student_learns_without_labels(with_teacher: Bench, tmp_path: Path) -> None:
    test = with_teacher.data().split("test")
    prepared.write(tmp_path / "unlabelled", replace(with_teacher.data(), labels=None))
    with_teacher.prepared = tmp_path / "unlabelled"
    route = 'distill(student=sample.digits, arguments="width=8", teacher=teacher, epochs=4)'
    assert accuracy(torch_module.load(with_teacher.ok(route).path), test, with_teacher.spec) > 0.85
    reason, _ = with_teacher.fails('distill(student=sample.digits, arguments="width=8", control=true)')
    assert "needs labels" in reason


def test_control_trains_the_same_student_alone(with_teacher: Bench) -> None:
    test = with_teacher.data().split("test")
    shared = 'student=sample.digits, arguments="width=8", labels=20, epochs=3'
    taught, alone = (
        torch_module.load(with_teacher.ok(f"distill({shared}, {more})").path)
        for more in ("teacher=teacher", "control=true")
    )
    assert parameters(taught) == parameters(alone)
    assert accuracy(taught, test, with_teacher.spec) > accuracy(alone, test, with_teacher.spec)


def test_shallower_student(with_teacher: Bench) -> None:
    with_teacher.model = Path(with_teacher.teachers["teacher"])
    artifact = with_teacher.ok("distill(student=shallower, epochs=1)")
    student = torch_module.load(artifact.path)
    assert parameters(student) < 0.6 * 299210
    assert torch_module.read_model(artifact.path)["applied"][0]["kept"]
    sample = with_teacher.data().take(np.arange(8))
    again = torch_module.load(artifact.path)
    assert (scores(student, sample, with_teacher.spec) == scores(again, sample, with_teacher.spec)).all()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("student=same", "can't learn from itself"),
        ("teacher=nobody", "no model 'nobody'"),
        ("student=sample.nothing", "nothing"),
        ('student=sample.digits, arguments="classes=7"', "gives"),
        ('student=sample.digits, arguments="width"', "not an argument"),
        ("student=shallower", "no repeated layers"),
    ],
)
def test_bad_requests(bench: Bench, options: str, reason: str) -> None:
    found, hint = bench.fails(f"distill({options}, epochs=1)")
    assert reason in found
    assert hint


def test_needs_a_data_set(bench: Bench) -> None:
    assert "data set" in bench.fails("distill(epochs=1)", dataset=False)[0]


def test_label_budget() -> None:
    data = Tensors((torch.arange(50.0),), torch.arange(50) % 5)
    few = limit_labels(data, 10, seed=0)
    assert int((few.labels >= 0).sum()) == 10
    control = labelled_only(few)
    assert len(control) == 50
    assert bool((control.labels >= 0).all())
    assert len(set(control.inputs[0].tolist())) == 10


def test_soft_loss_is_zero_for_equal_scores() -> None:
    scores_ = torch.randn(4, 3)
    assert float(soft_loss(scores_, scores_, 4.0)) == pytest.approx(0.0, abs=1e-6)
    assert float(soft_loss(scores_, -scores_, 4.0)) > 0.1


def test_arguments() -> None:
    assert parse_arguments("width=8, name=thin, flag=true") == {"width": 8, "name": "thin", "flag": True}
