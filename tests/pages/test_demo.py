"""The Demo page: two variants side by side, and what to do where there is nothing to run."""

from __future__ import annotations

import platform
import shutil
from pathlib import Path

import numpy as np
import pytest
from streamlit.runtime.caching.cache_resource_api import clear_session_cache
from streamlit.testing.v1 import AppTest

from engine import schedule
from engine.live.reading import differences
from engine.measurement import BuildResult
from engine.recipes import parse
from engine.routes import plan
from engine.schedule.locks import device_lock
from engine.schedule.plan import wanted
from engine.spec import Workload, to_json
from engine.store.queue import Queue
from engine.store.rows import PhaseRow
from engine.worker.protocol import Outcome
from pages.ui.side_by_side import difference_text
from tests.measure import models
from tests.pages.conftest import Dashboard, Open
from tests.pages.test_pages import words
from tests.schedule.made import SPEC, fine, work_through


@pytest.fixture
def built(dashboard: Dashboard, tmp_path: Path) -> str:
    """A finished comparison of three recipes, whose artifacts are one real graph."""
    made = models.classifier(tmp_path / "model")
    artifact = str(shutil.copytree(made.folder, tmp_path / "artifact"))
    model = dashboard.store.add_model(made.spec, Path(made.folder))
    recipes = ("onnxruntime", "onnx-simplify > onnxruntime", "half > onnxruntime")
    chosen = [
        plan(made.spec, parse(each), "cpu", label=each, baseline=number == 0) for number, each in enumerate(recipes)
    ]
    id = dashboard.store.create_comparison("Built", model, Workload(threads=1, batch_sizes=(2,)), chosen)

    def answer(phase: PhaseRow) -> Outcome:
        if phase.kind == "build":
            found = BuildResult("ok", build_s=0.5, details={"artifact": artifact})
            return Outcome("ok", to_json(found), seconds=1.0)
        return fine(phase)

    work_through(dashboard.store, id, answer)
    Queue(dashboard.store, platform.node(), "test").set_state(id, "finished")
    return id


def click(at: AppTest, key: str) -> None:
    """Press a button of the page and wait for what it started."""
    at.button(key=key).click().run()
    while any(str(each.key).startswith("cancel_") for each in at.button):
        at.run()
    assert not at.exception


def test_the_same_input_goes_through_both(open_page: Open, built: str, dashboard: Dashboard) -> None:
    at = open_page("demo", comparison=built)
    assert at.selectbox[1].value == dashboard.store.variants(built)[0].id
    click(at, "run_once")
    assert "Both say class " in words(at)
    assert "equal, bit for bit" in words(at)
    assert [each.label for each in at.metric][:3] == ["Further calls", "First call", "Opening"]
    assert len(at.get("plotly_chart")) == 2
    click(at, "run_many")
    assert at.metric[0].label == "Last 50 calls, median"
    assert at.metric[0].value.endswith(" ms")
    at.number_input[0].set_value(7).run()
    assert not at.metric


def test_the_url_names_the_pair(open_page: Open, built: str, dashboard: Dashboard) -> None:
    first, _, third = (each.id for each in dashboard.store.variants(built))
    at = open_page("demo", comparison=built, left=third, right=first)
    assert [each.value for each in at.selectbox[1:3]] == [third, first]
    assert at.selectbox[2].options == ["onnxruntime", "onnx-simplify > onnxruntime"]


def test_a_measurement_goes_first(open_page: Open, built: str) -> None:
    at = open_page("demo", comparison=built)
    with device_lock("cpu"):
        click(at, "run_once")
    assert "A measurement is running on cpu" in at.error[0].value


def test_a_worker_that_can_not_open_is_one_sentence(open_page: Open, built: str, tmp_path: Path) -> None:
    (tmp_path / "artifact" / "model.onnx").write_bytes(b"garbage")
    at = open_page("demo", comparison=built)
    click(at, "run_once")
    assert len(at.error) == 1
    assert "Traceback" not in at.error[0].value


def test_an_artifact_that_is_gone_can_be_built_again(
    open_page: Open, built: str, dashboard: Dashboard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(tmp_path / "artifact")
    monkeypatch.setattr(schedule, "ensure_running", lambda settings: None)
    at = open_page("demo", comparison=built)
    assert at.button(key="run_once").disabled
    at.button(key="build_again").click().run()
    assert not at.exception
    planned = [each.kind for each in wanted(dashboard.store.state(built))]
    assert planned[0] == "build"
    shutil.rmtree(tmp_path / "model")
    dashboard.store.cancel(built)
    assert "The model is gone too" in open_page("demo", comparison=built).warning[0].value


def test_a_comparison_from_another_machine_says_so(open_page: Open, dashboard: Dashboard) -> None:
    at = open_page("demo", comparison=dashboard.recorded)
    assert "measured on another machine" in words(at)
    assert not [each for each in at.button if each.key == "run_once"]


def test_leaving_the_session_ends_its_workers(open_page: Open, built: str, dashboard: Dashboard) -> None:
    at = open_page("demo", comparison=built)
    click(at, "run_once")
    assert list(dashboard.settings.jobs.glob("live-*"))
    clear_session_cache("test session id")
    assert not list(dashboard.settings.jobs.glob("live-*"))


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ([0.0, 3.0, 4.0], "equal, bit for bit"),
        (
            [0.0, 3.0, 4.5],
            "differ by 0.100 of their size (relative L2 error); the largest single difference is 0.500",
        ),
        ([0.0, float("nan"), 4.0], "1 of 3 values that are NaN"),
        ([0.0, 3.0], "has the shape 1x2 instead of 1x3"),
    ],
)
def test_how_far_outputs_differ_is_said(second: list[float], words: str) -> None:
    spec = SPEC
    first = np.array([[0.0, 3.0, 4.0]], np.float32)
    found = differences([first], [np.array([second], np.float32)], spec)
    assert words in difference_text(found)


def test_outputs_that_are_zero_in_the_first_have_no_relative_error() -> None:
    found = differences([np.zeros((1, 3))], [np.ones((1, 3))], SPEC)
    assert "only zeros" in difference_text(found)
