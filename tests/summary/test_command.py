"""The command beside a variant can be typed as it stands."""

from __future__ import annotations

import itertools
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from engine import intake
from engine.cli.models import parse_architecture
from engine.recipes import read_values
from engine.spec import TensorSpec, Workload
from engine.store import Store
from engine.store.queue import Queue
from tests.schedule.made import SPEC, variants
from tests.store.conftest import home, store

__all__ = ["home", "store"]
TEXT = replace(SPEC, inputs=(TensorSpec("ids", "int64", ("batch", "length")),), sizes={"length": 16})


def command(store: Store, spec: object, workload: Workload) -> str:
    """The command of the only variant of a fresh comparison."""
    model = store.add_model(spec, Path(store.settings.uploads / "m"))  # type: ignore[arg-type]
    id = store.create_comparison("C", model, workload, variants("half > onnxruntime"))
    return store.document(id).variants[0].reproduce


@pytest.mark.parametrize(
    ("source", "workload", "expected"),
    [
        (("sample:digits",), Workload(dataset="sample:digits"), "sample:digits {} --dataset sample:digits"),
        (("my net.onnx",), Workload(), "'my net.onnx' {}"),
        (("--architecture", "torchvision.resnet50"), Workload(), "--architecture torchvision.resnet50 {}"),
        (("a.pt",), Workload(preset="full", rounds=3, seconds=0.6), "a.pt {} --preset full --rounds 3"),
    ],
)
def test_the_command_names_what_was_given(
    store: Store, source: tuple[str, ...], workload: Workload, expected: str
) -> None:
    middle = "--recipe 'half > onnxruntime' --batch 1 --device cpu"
    found = command(store, replace(SPEC, source=source), workload)
    assert found == "optibench compare " + expected.format(middle)


def test_dynamic_dimensions_are_given_their_sizes(store: Store) -> None:
    found = command(store, replace(TEXT, source=("t.onnx",)), Workload(batch_sizes=(2, 8)))
    assert "--shape ids=2x16" in found


def test_ranges_and_constants_that_were_given_are_named(store: Store) -> None:
    rate = TensorSpec("rate", "int64", (), constant=8000)
    model = replace(TEXT, inputs=(*TEXT.inputs, rate, TensorSpec("mask", "int64", ("batch", 4), low=0, high=2)))
    given = model.with_values({"ids": (0, 30522), "rate": 16000})
    found = shlex.split(command(store, replace(given, source=("t.onnx",)), Workload()))
    values = [text for option, text in itertools.pairwise(found) if option == "--values"]
    assert values == ["ids=0:30522", "rate=16000"]
    assert model.with_values(read_values(values)) == given


def test_an_uploaded_data_set_is_named_by_its_file(store: Store, tmp_path: Path) -> None:
    data = store.add_dataset("Mine", tmp_path / "mine.npz", {})
    model = store.add_model(replace(SPEC, source=("a.onnx",)), Path(store.settings.uploads / "m"))
    id = store.create_comparison("C", model, Workload(dataset=data), variants("onnxruntime"))
    Queue(store, "host", "test").set_dataset(id, {"name": "Mine", "samples": 8})
    found = store.document(id)
    assert "--dataset mine.npz" in found.variants[0].reproduce
    assert found.dataset["samples"] == 8


def test_weights_are_named_with_their_architecture(tmp_path: Path) -> None:
    arguments = {"num_classes": 10, "weights": "a, b"}
    words = intake.source_words(tmp_path / "w.pt", "torchvision.resnet18", arguments)
    assert words[:2] == ("w.pt", "--architecture")
    assert parse_architecture(shlex.split(shlex.join(words))[2]) == ("torchvision.resnet18", arguments)
