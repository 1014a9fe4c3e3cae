"""What a reader meets where there is too much to draw, nothing to draw, or nothing to see."""

from __future__ import annotations

import json
from typing import Any

from streamlit.testing.v1 import AppTest

from tests.documents import crowded_document, failed_document
from tests.pages.conftest import Dashboard, Open
from tests.pages.test_pages import words


def chart(at: AppTest, number: int = 0) -> Any:
    """The protocol message of one chart."""
    return at.get("plotly_chart")[number].proto


def drawn(at: AppTest) -> int:
    """How many rows the first chart names."""
    notes = json.loads(chart(at).spec)["layout"]["annotations"]
    return sum("Variant " in each["text"] for each in notes)


def test_many_variants_are_drawn_on_demand(open_page: Open, dashboard: Dashboard) -> None:
    at = open_page("compare", comparison=dashboard.store.import_document(crowded_document()))
    assert drawn(at) == 12
    assert "12 of 40 variants are drawn. In the table only: 24 further down, 4 failed." in words(at)
    at.toggle(key="all").set_value(True).run()
    assert drawn(at) == 40


def test_where_nothing_worked_there_are_reasons_and_no_empty_charts(open_page: Open, dashboard: Dashboard) -> None:
    at = open_page("compare", comparison=dashboard.store.import_document(failed_document()))
    assert not at.get("plotly_chart")
    assert words(at).count("aten::foo") + words(at).count("aten\\:\\:foo") == 1
    assert "compiler is missing" in words(at)


def test_a_chart_says_its_figures_to_those_who_cannot_see_it(open_page: Open, dashboard: Dashboard) -> None:
    at = open_page("compare", comparison=dashboard.recorded)
    said = [chart(at, number).alt for number in range(6)]
    assert "lower is better" in said[0]
    assert "TensorRT FP16 0.401 ms" in said[2]
    assert "TensorRT FP8 0.350 ms (suspect)" in said[2]
    assert "AOTInductor FP32 failed" in said[2]
    assert "at batch" in said[5]


def test_headings_go_down_one_level_at_a_time(open_page: Open, dashboard: Dashboard) -> None:
    for name in ("start", "compare", "explain", "runs", "system", "guide"):
        at = open_page(name, comparison=dashboard.recorded)
        assert len(at.title) == 1, name
        assert at.header, name
        assert not at.subheader, name


def test_a_failed_variant_has_no_empty_figures(open_page: Open, dashboard: Dashboard) -> None:
    at = open_page("explain", comparison=dashboard.recorded, variant="aoti")
    assert not at.metric
    assert "Where the time goes" not in words(at)
    assert "needs a C++ compiler" in words(at)
