"""What every step promises, tried on every step there is: `-rs` prints what was skipped and why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.artifact import Artifact
from engine.conversion.differences import relative_l2
from engine.data import prepared
from engine.errors import BadOption
from engine.feeds import random_feeds
from engine.formats import all_formats
from engine.plugin import Option
from engine.recipes import parse_use, render_use
from engine.runtimes import all_runtimes
from engine.spec import Use
from engine.steps import all_steps
from engine.steps.base import Step
from tests.steps.conftest import Model
from tests.steps.models import outputs

CASES = [(step, source) for step in all_steps() for source in step.formats]
NAMES = [f"{step.name}-{source}" for step, source in CASES]
ROUTES = {"torch-module": "", "torchscript": "trace", "exported-program": "export", "onnx": "onnx"}
SAME = {"conversion": {"fp32": 1e-3}, "precision": {"fp16": 2e-2, "bf16": 5e-2}, "quantization": {"int8": 0.5}}
TRIED_ELSEWHERE = {
    "aot-compile": "compiles C++ for minutes; tests/runtimes runs it",
    "qat-int8": "trains for a minute; tests/compression runs it",
}


@pytest.mark.parametrize(("step", "source"), CASES, ids=NAMES)
def test_it_says_what_it_is(step: type[Step], source: str) -> None:
    assert step.title
    assert step.about().count(".") >= 1
    assert step.__doc__ is not None
    assert source in all_formats()
    assert step.formats[source] in all_formats()
    assert step.name not in all_runtimes()
    assert 0 < step.cost < 10
    assert all(each.help for each in step.option_list())


def at_bounds(option: Option) -> Iterator[Any]:
    """Every value at an option's border."""
    if option.kind == "flag":
        yield from (True, False)
    yield from option.choices
    yield from (option.type(each) for each in (option.min, option.max) if each is not None)


@pytest.mark.parametrize(("step", "source"), CASES, ids=NAMES)
def test_options_hold_at_their_bounds_and_survive_the_recipe(step: type[Step], source: str) -> None:
    for each in step.option_list():
        for value in at_bounds(each):
            made = step.from_options({each.name: value})
            again = parse_use(render_use(Use(step.name, made.options())))
            assert step.from_options(again.options) == made
        for beyond in (each.min - 1 if each.min is not None else None, each.max + 1 if each.max is not None else None):
            if beyond is not None:
                with pytest.raises(BadOption):
                    step.from_options({each.name: each.type(beyond)})
    with pytest.raises(BadOption):
        step.from_options({"no_such_option": 1})


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared data set that the digits model takes."""
    generator = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("images")
    feeds = {"pixels": generator.standard_normal((96, 1, 8, 8)).astype(np.float32)}
    splits = {name: np.arange(24) + 24 * i for i, name in enumerate(("test", "train", "validation", "calibration"))}
    labels = generator.integers(0, 10, 96)
    prepared.write(folder, prepared.Prepared("images", "digest", feeds, labels, splits))
    return folder


@pytest.mark.parametrize(("step", "source"), CASES, ids=NAMES)
def test_what_it_makes_opens_and_computes_the_same(
    step: type[Step], source: str, digits: Model, images: Path, tmp_path: Path
) -> None:
    skip_what_cannot_run(step, source)
    recipe = " > ".join(each for each in (ROUTES[source], options_of(step)) if each)
    result, artifact = digits.build(recipe, prepared=str(images))
    if result.status == "unsupported":
        pytest.skip(f"{step.name}: {result.reason}")
    assert artifact is not None, f"{result.reason} {result.hint}"
    assert artifact.format == step.formats[source]
    feeds = random_feeds(digits.spec, 3, 5)
    found = outputs(artifact, digits.spec, feeds)
    assert found[0].shape == (3, 10)
    assert found[0].dtype == np.float32
    assert np.isfinite(found[0]).all()
    tolerance = SAME.get(step.kind, {}).get(artifact.precision)
    if tolerance is not None:
        assert relative_l2(outputs(digits.artifact, digits.spec, feeds), found) < tolerance
    again = digits.build(recipe, tmp_path, prepared=str(images))[1]
    assert again is not None
    assert same(found, outputs(again, digits.spec, feeds))


def skip_what_cannot_run(step: type[Step], source: str) -> None:
    missing = step.missing()
    if missing:
        pytest.skip(str(missing))
    if "cpu" not in step.devices:
        pytest.skip(f"{step.name} needs an NVIDIA GPU")
    if step.name in TRIED_ELSEWHERE:
        pytest.skip(f"{step.name}: {TRIED_ELSEWHERE[step.name]}")
    if any(each.kind == "model" and not each.default for each in step.option_list()):
        pytest.skip(f"{step.name} needs a teacher; tests/compression has one")
    if source not in ROUTES or step.formats[source] not in ROUTES:
        pytest.skip(f"{step.name}: no runtime here opens {step.formats[source]}")


def options_of(step: type[Step]) -> str:
    """The step with as little training as its options allow."""
    least = {e.name: e.type(e.min or 1) for e in step.option_list() if e.name in ("epochs", "trials")}
    if step.name == "mix":
        least["reverse"] = True  # the digits model has no control flow of its own to script
    return render_use(Use(step.name, least))


def same(first: list[np.ndarray], second: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_artifacts_are_passed_on_with_their_details(digits: Model) -> None:
    artifact: Artifact = digits.made("trace > half > freeze")
    assert artifact.precision == "fp16"
    assert artifact.details["fidelity"]["of"] >= 32
    assert "suspect_reason" not in artifact.details
