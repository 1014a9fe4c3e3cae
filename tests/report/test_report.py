"""Exports: everything is in them, they stand alone, and hostile names stay text."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from engine import report
from engine.document import parse
from engine.errors import BadInput
from tests.documents import crowded_document, failed_document, gpu_document, quick_document


@pytest.fixture(scope="module")
def page() -> str:
    return report.render(gpu_document(), "html").decode()


def test_formats_are_found() -> None:
    assert {"csv", "html", "json"} <= set(report.formats())


def test_write_names_the_file_after_the_comparison(tmp_path: Path) -> None:
    path = report.write(gpu_document(), "csv", tmp_path / "new")
    assert path.name == "resnet-50-on-an-h100.csv"
    assert path.stat().st_size > 1000


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no report format"):
        report.write(gpu_document(), "docx", tmp_path)


def test_json_comes_back_whole() -> None:
    assert parse(report.render(gpu_document(), "json")) == gpu_document()


def test_csv_has_a_row_for_each_variant_and_batch_size_and_both_latencies() -> None:
    table = pd.read_csv(io.BytesIO(report.render(gpu_document(), "csv")))
    assert len(table) == 20
    assert {"resident_latency_ms", "end_to_end_latency_ms", "resident_speedup", "reason"} <= set(table.columns)
    assert table.loc[table["variant"] == "aoti", "resident_latency_ms"].isna().all()


def test_csv_defuses_formulas() -> None:
    document = gpu_document()
    variants = (replace(document.variants[0], label="=cmd|' /C calc'!A0"), *document.variants[1:])
    table = pd.read_csv(io.BytesIO(report.render(replace(document, variants=variants), "csv")))
    assert table["label"].iloc[0].startswith("'=")


def test_html_stands_alone(page: str) -> None:
    head = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", head)
    assert page.count("plotly.js v") == 1


def test_html_tells_the_whole_story(page: str) -> None:
    for text in (
        "TensorRT FP16 is 8.48× faster",
        "Batch 1",
        "Batch 32",
        "✕ Failed",
        "Run: apt install g++",
        "NVIDIA H100 80GB HBM3",
        "half &gt; onnx &gt; tensorrt(cuda_graph=true)",
        "Fused 126 layers into 58",
        "How it was measured",
        "--preset recorded",
        "prefers-color-scheme:dark",
        "@media print",
    ):
        assert text in page, text


def test_html_tells_energy_and_power_where_a_gpu_did(page: str) -> None:
    assert "120 mJ" in page
    assert "310 W" in page
    document = quick_document()
    silent = [
        replace(v, results=tuple(replace(r, energy_j=None, power_w=None) for r in v.results)) for v in document.variants
    ]
    on_cpu = report.render(replace(document, variants=tuple(silent)), "html").decode()
    assert "Energy a sample" in page
    assert "Energy a sample" not in on_cpu


def test_html_has_four_charts_and_a_trade_off_for_each_batch_size(page: str) -> None:
    for metric in ("file_bytes", "accuracy", "latency_ms", "throughput_per_s", "tradeoff"):
        assert f'id="{metric}-1"' in page
        assert f'id="{metric}-32"' in page


def test_hostile_names_stay_text() -> None:
    bad = "</script><script>alert(1)</script>"
    document = gpu_document()
    variants = (replace(document.variants[0], label=bad, recipe=bad), *document.variants[1:])
    page = report.render(replace(document, name=bad, variants=variants), "html").decode()
    assert "<script>alert(1)" not in page


def test_an_unfinished_comparison_has_a_report_too() -> None:
    document = quick_document()
    waiting = replace(document, variants=tuple(replace(each, results=()) for each in document.variants))
    assert "Nothing is measured yet" in report.render(waiting, "html").decode()


def test_suspects_stand_before_the_cards_and_the_charts_say_how_they_were_measured() -> None:
    page = report.render(gpu_document(), "html").decode()
    assert page.index("never wins") < page.index('class="cards"')
    assert "measured on NVIDIA H100 80GB HBM3 on 2026-11-20" in page
    assert "in each of 5 rounds" in page


def test_a_comparison_in_which_everything_is_suspect_has_a_report() -> None:
    document = gpu_document()
    doubtful = tuple(
        replace(each, results=tuple(replace(one, status="suspect") for one in each.results))
        for each in document.variants
    )
    assert "no winner" in report.render(replace(document, variants=doubtful), "html").decode()


def test_the_report_draws_what_fits_a_page_and_says_it_in_words() -> None:
    page = report.render(crowded_document(), "html").decode()
    assert page.count("<h1>") == 1
    assert '<html lang="en">' in page
    assert "12 of 40 variants are drawn" in page
    assert 'aria-label="Latency, lower is better: Variant 0 3.40 ms;' in page
    assert "Variant 39" in page


def test_a_report_of_failures_has_reasons_and_no_empty_charts() -> None:
    page = report.render(failed_document(), "html").decode()
    assert 'class="chart"' not in page
    assert "Nothing could be measured at this batch size" in page
    assert "The compiler is missing." in page
