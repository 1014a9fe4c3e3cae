"""What a run looks like from its start to its end, without a scheduler: the queue alone."""

from __future__ import annotations

import pytest

from engine import schedule
from tests.pages.conftest import Dashboard, Open
from tests.pages.test_pages import words


@pytest.fixture(autouse=True)
def started(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The schedulers that would have been started."""
    found: list[object] = []
    monkeypatch.setattr(schedule, "ensure_running", found.append)
    return found


@pytest.fixture
def queued(open_page: Open, dashboard: Dashboard) -> str:
    """A comparison made with the Run button."""
    before = {each.id for each in dashboard.store.comparisons()}
    at = open_page("optimize", model=dashboard.model)
    at.button(key="run").click().run()
    assert not at.exception
    (made,) = {each.id for each in dashboard.store.comparisons()} - before
    return made


def test_run_queues_what_the_table_shows(dashboard: Dashboard, queued: str, started: list[object]) -> None:
    row = dashboard.store.comparison(queued)
    variants = dashboard.store.variants(queued)
    assert row.workload.batch_sizes == (1, 8)
    assert variants[0].variant.baseline
    assert len(variants) >= 2
    assert started


def test_an_active_comparison_can_be_cancelled_as_a_whole(open_page: Open, dashboard: Dashboard, queued: str) -> None:
    at = open_page("runs", comparison=queued)
    assert "still to be measured" not in words(at)
    at.button(key="cancel_all").click().run()
    assert not dashboard.store.comparison(queued).active
    assert "Cancelled before it was measured" in words(open_page("runs", comparison=queued))


def test_one_variant_can_be_cancelled_and_retried(open_page: Open, dashboard: Dashboard, queued: str) -> None:
    second = dashboard.store.variants(queued)[1].id
    open_page("runs", comparison=queued).button(key=f"cancel_{second}").click().run()
    assert dashboard.store.variants(queued)[1].cancelled
    open_page("runs", comparison=queued).button(key=f"retry_{second}").click().run()
    assert not dashboard.store.variants(queued)[1].cancelled


def test_compare_says_that_nothing_is_measured_yet(open_page: Open, queued: str) -> None:
    assert "Nothing is measured yet" in words(open_page("compare", comparison=queued))


def test_a_toggle_adds_variants(open_page: Open, dashboard: Dashboard) -> None:
    at = open_page("optimize", model=dashboard.model)
    at.button_group(key="preset").set_value("none").run()
    assert "1 variant**" in words(at)
    at.button_group(key="runtimes").set_value(["onnxruntime"])
    at.button_group(key="precisions").set_value(["as it is", "half"]).run()
    assert not at.exception
    assert "2 variants**" in words(at)


def test_equal_names_are_told_apart(open_page: Open, dashboard: Dashboard, queued: str) -> None:
    for each in dashboard.store.comparisons():
        assert open_page("runs", comparison=each.id).query_params["comparison"] in (each.id, [each.id])
