"""Every page draws what is stored, and says what to do next."""

from __future__ import annotations

import sys
import time

import pytest
from streamlit.testing.v1 import AppTest

from engine import report
from pages.ui import PAGES
from tests.pages.conftest import Dashboard, Open


def words(at: AppTest) -> str:
    """Everything a page says in Markdown, captions, headers and messages."""
    parts = [*at.title, *at.header, *at.markdown, *at.caption, *at.info, *at.warning, *at.error]
    return "\n".join(str(each.value) for each in parts)


@pytest.mark.parametrize("name", [name for section in PAGES.values() for name, _, _ in section])
def test_a_page_draws_without_an_exception_and_in_time(open_page: Open, dashboard: Dashboard, name: str) -> None:
    open_page(name, comparison=dashboard.recorded, model=dashboard.model)
    again = open_page(name, comparison=dashboard.recorded, model=dashboard.model)
    assert len(again.title) == 1


def test_pages_import_no_framework(open_page: Open) -> None:
    before = "torch" in sys.modules or "onnxruntime" in sys.modules
    open_page("compare")
    assert before or not {"torch", "onnxruntime"} & set(sys.modules)


def test_the_start_page_has_one_sentence_and_three_ways_in(open_page: Open) -> None:
    at = open_page("start")
    assert "what it costs" in words(at)
    assert at.button(key="try_sample").label == "Try a sample"
    assert at.button(key="upload_model").label == "Upload a model"


def test_compare_says_the_headline_and_shows_every_status(open_page: Open, dashboard: Dashboard) -> None:
    at = open_page("compare", comparison=dashboard.recorded)
    assert "TensorRT FP16 is 8.4" in words(at)
    shown = at.dataframe[0].value
    assert shown["Variant"].iloc[0] == "PyTorch FP32"
    statuses = " ".join(shown["Status"])
    assert all(each in statuses for each in ("OK", "Suspect", "Unsupported", "Failed"))
    assert shown.set_index("Variant").loc["TensorRT FP16", "At the same precision"].endswith("than PyTorch FP16")
    assert [each.label for each in at.metric] == ["Fastest", "Smallest", "Most accurate", "Best balance"]
    assert len(at.get("plotly_chart")) >= 5


def test_a_link_reopens_the_same_view(open_page: Open, dashboard: Dashboard) -> None:
    at = open_page("compare", comparison=dashboard.recorded, batch="32", latency="End-to-end", order="Size")
    assert at.button_group(key="batch").value == "32"
    assert at.button_group(key="latency").value == "end_to_end"
    assert at.selectbox(key="order").value == "file_bytes"
    assert "End-to-end latency, batch 32" in " ".join(each.value for each in at.markdown)


def test_other_sizes_can_be_compared(open_page: Open, dashboard: Dashboard) -> None:
    at = open_page("compare", comparison=dashboard.recorded)
    at.selectbox(key="size").set_value("nonzero_bytes").run()
    assert not at.exception
    assert "Non-zero" in at.get("plotly_chart")[0].proto.spec


def test_a_stale_link_falls_back_to_what_there_is(open_page: Open, dashboard: Dashboard) -> None:
    at = open_page("compare", comparison=dashboard.quick, batch="4096", baseline="gone")
    assert at.button_group(key="batch").value == "1"


def test_one_round_says_that_there_is_no_interval(open_page: Open, dashboard: Dashboard) -> None:
    at = open_page("compare", comparison=dashboard.quick)
    assert "no interval" in words(at)
    assert "weak evidence" in words(at)


def test_constraints_take_away_the_winner(open_page: Open, dashboard: Dashboard) -> None:
    at = open_page("compare", comparison=dashboard.recorded)
    at.select_slider(key="max_size").set_value("51.2 MB").run()
    assert at.metric[0].value == "0.580 ms"


def test_a_link_reopens_the_constraints(open_page: Open, dashboard: Dashboard) -> None:
    at = open_page("compare", comparison=dashboard.recorded, max_size="51.2 MB", batch="32")
    assert at.select_slider(key="max_size").value == "51.2 MB"
    assert "Pale, because they do not: PyTorch FP32" in words(at)
    assert at.metric[0].value != "1.73 ms"


def test_constraints_of_another_comparison_are_let_go(open_page: Open, dashboard: Dashboard) -> None:
    at = open_page("compare", comparison=dashboard.quick, max_size="51.2 MB", max_latency="0.401 ms")
    assert at.metric[0].value == "1.52 ms"


def test_another_baseline_changes_the_ratio(open_page: Open, dashboard: Dashboard) -> None:
    at = open_page("compare", comparison=dashboard.recorded, baseline="TensorRT FP16")
    shown = at.dataframe[0].value.set_index("Variant")
    assert shown.loc["TensorRT FP16", "Speed-up"] == "baseline"
    assert "slower" in shown.loc["PyTorch FP32", "Speed-up"]


def test_explain_tells_a_variants_story(open_page: Open, dashboard: Dashboard) -> None:
    at = open_page("explain", comparison=dashboard.recorded, variant="trt")
    text = words(at)
    assert "126 layers became 58" in text
    assert "Where the time goes" in text
    assert ("Energy a sample", "120 mJ") in [(each.label, each.value) for each in at.metric]
    failed = words(open_page("explain", comparison=dashboard.recorded, variant="aoti"))
    assert "needs a C++ compiler" in failed
    assert "apt install g++" in failed


def test_runs_lists_every_variant_with_its_reason(open_page: Open, dashboard: Dashboard) -> None:
    text = words(open_page("runs", comparison=dashboard.recorded))
    assert "6 of 10 variants worked." in text
    assert "no INT8 convolution" in text


def test_models_shows_and_saves_what_the_user_knows(open_page: Open, dashboard: Dashboard) -> None:
    at = open_page("models", model=dashboard.model)
    assert "Guessed, please confirm" in words(at)
    at.selectbox[2].set_value("other")
    next(each for each in at.selectbox if each.label == "Task").set_value("embedding")
    next(each for each in at.button if each.label == "Save").click().run()
    saved = dashboard.store.model(dashboard.model).spec
    assert saved.task == "embedding"
    assert saved.guessed == ()
    assert saved.inputs[1].constant == 16000


def test_optimize_plans_variants_with_their_routes(open_page: Open, dashboard: Dashboard) -> None:
    at = open_page("optimize", model=dashboard.model)
    assert not at.error
    assert at.button(key="run").disabled is False
    assert "variants** at batch 1, 8" in words(at)


def test_a_recipe_that_can_not_be_read_gets_one_sentence(open_page: Open, dashboard: Dashboard) -> None:
    at = open_page("optimize", model=dashboard.model)
    at.text_input(key=f"recipe_text_{dashboard.model}").set_value("half > nowhere")
    at.button(key=f"recipe_add_{dashboard.model}").click().run()
    assert "A recipe ends with a runtime" in at.error[0].value


def test_bad_batch_sizes_get_one_sentence(open_page: Open, dashboard: Dashboard) -> None:
    at = open_page("optimize", model=dashboard.model)
    at.text_input(key=f"batches_{dashboard.model}").set_value("one").run()
    assert "whole numbers" in at.error[0].value
    assert not at.exception


def test_the_system_page_says_how_to_get_what_is_missing(open_page: Open) -> None:
    at = open_page("system")
    assert "pip install tensorrt" in at.table[0].value.to_string()
    assert "ImportError" in at.error[0].value


def test_a_deleted_comparison_in_a_link_is_no_error(open_page: Open) -> None:
    assert open_page("compare", comparison="gone").selectbox


def test_a_warm_page_takes_little_script_time(open_page: Open, dashboard: Dashboard) -> None:
    at = open_page("compare", comparison=dashboard.recorded)
    began = time.perf_counter()
    at.run()
    print(f"compare, warm: {time.perf_counter() - began:.3f} s")
    assert not at.exception


@pytest.mark.parametrize("preset", ["full", "smaller", "faster", "smallest", "recorded"])
def test_every_preset_can_be_chosen(open_page: Open, dashboard: Dashboard, preset: str) -> None:
    at = open_page("optimize", model=dashboard.model)
    at.button_group(key="preset").set_value(preset).run()
    assert not at.exception
    assert not at.error


def test_a_bad_import_gets_one_sentence(open_page: Open) -> None:
    at = open_page("start")
    at.file_uploader(key="import_file").upload("other.json", b'{"schema": "other/9"}').run()
    at.button(key="import").click().run()
    assert "this version reads optibench/1" in at.error[0].value


def test_an_exported_comparison_comes_back(open_page: Open, dashboard: Dashboard) -> None:
    data = report.render(dashboard.store.document(dashboard.quick), "json")
    before = len(dashboard.store.comparisons())
    at = open_page("start")
    at.file_uploader(key="import_file").upload("quick.json", data).run()
    at.button(key="import").click().run()
    assert not at.exception
    assert len(dashboard.store.comparisons()) == before + 1
