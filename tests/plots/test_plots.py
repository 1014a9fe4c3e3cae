"""Charts: one order, one colour for each family, honest axes, colours that survive colour blindness."""

from __future__ import annotations

import itertools
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from engine.analysis.speedup import compared
from engine.frames import at_batch, layers, sort, sweep
from engine.metrics import SIDE_BY_SIDE
from engine.plots import bar_chart, foremost, layer_chart, left_out, throughput_chart, tradeoff_chart
from engine.plots.colours import (
    BACKGROUND,
    BAD_TEXT,
    GOOD_TEXT,
    MUTED,
    SURFACE,
    TEXT,
    WARNING_TEXT,
    Theme,
    categorical,
)
from tests.documents import crowded_document, gpu_document, quick_document

CONFIG = Path(__file__).resolve().parents[2] / ".streamlit" / "config.toml"
THEMES: tuple[Theme, Theme] = ("light", "dark")
# Machado, Oliveira and Fernandes 2009: severity 1.
VISION = {
    "normal": np.eye(3),
    "protanopia": np.array([[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]]),
    "deuteranopia": np.array([[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]]),
}


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return sort(at_batch(compared(gpu_document(), "resident"), 1))


def linear(colour: str) -> np.ndarray:
    values = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    matrix = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    ratio = matrix @ np.clip(rgb, 0, 1) / np.array([0.9505, 1.0, 1.089])
    f = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(one: str, other: str) -> float:
    luminance = sorted(float(np.dot([0.2126, 0.7152, 0.0722], linear(each))) for each in (one, other))
    return (luminance[1] + 0.05) / (luminance[0] + 0.05)


@pytest.mark.parametrize("theme", THEMES)
def test_the_theme_file_has_the_same_colours(theme: Theme) -> None:
    config = tomllib.loads(CONFIG.read_text())["theme"][theme]
    assert config["chartCategoricalColors"] == categorical(theme)
    assert config["backgroundColor"] == BACKGROUND[theme]


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("vision", VISION)
def test_colours_can_be_told_apart(theme: Theme, vision: str) -> None:
    seen = [lab(VISION[vision] @ linear(each)) for each in categorical(theme)]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) >= 20


@pytest.mark.parametrize("theme", THEMES)
def test_colours_stand_out_from_the_background(theme: Theme) -> None:
    assert min(contrast(each, BACKGROUND[theme]) for each in categorical(theme)) >= 3


@pytest.mark.parametrize("theme", THEMES)
def test_text_is_readable_on_the_page_and_on_cards(theme: Theme) -> None:
    shades = [each[theme] for each in (TEXT, MUTED, GOOD_TEXT, WARNING_TEXT, BAD_TEXT)]
    assert min(contrast(shade, each[theme]) for shade in shades for each in (BACKGROUND, SURFACE)) >= 4.5


def test_four_charts_share_order_and_colours(rows: pd.DataFrame) -> None:
    figures = [bar_chart(rows, each) for each in SIDE_BY_SIDE]
    texts = [[each.text for each in figure.layout.annotations if each.text != "unstable"] for figure in figures]
    orders = [each[:-1:2] for each in texts]
    assert all(order == orders[0] for order in orders)
    shades = [dict(zip(each.data[0].customdata, each.data[0].marker.color, strict=True)) for each in figures]
    assert all(each == shades[0] for each in shades)


def axis_text(figure: go.Figure) -> str:
    """What is written at the axis of a chart."""
    return next(str(note.text) for note in figure.layout.annotations if note.name == "axis")


def test_axes_say_unit_and_direction(rows: pd.DataFrame) -> None:
    titles = [axis_text(bar_chart(rows, each)) for each in SIDE_BY_SIDE]
    assert titles[0] == "MB on disk · lower is better"
    assert "higher is better" in titles[1]
    assert titles[2] == "ms, median · lower is better"
    assert titles[3] == "samples/s · higher is better"


def test_a_wide_span_turns_the_axis_logarithmic_and_says_so(rows: pd.DataFrame) -> None:
    wide = rows.copy()
    wide.loc[wide["variant"] == "eager", "latency_ms"] = 100.0
    figure = bar_chart(wide, "latency_ms")
    assert figure.layout.xaxis.type == "log"
    assert "log scale" in axis_text(figure)
    assert all(trace.type == "scatter" for trace in bar_chart(wide, "latency_ms").data)


def test_intervals_are_error_bars_and_one_round_has_none(rows: pd.DataFrame) -> None:
    assert bar_chart(rows, "latency_ms").data[0].error_x.array is not None
    one = at_batch(compared(quick_document(), "resident"), 1)
    assert bar_chart(one, "latency_ms").data[0].error_x.array is None


def test_statuses_are_words_and_marks(rows: pd.DataFrame) -> None:
    texts = [note.text for note in bar_chart(rows, "latency_ms").layout.annotations]
    assert "✕ Failed" in texts
    assert "– Unsupported" in texts
    assert any(each.startswith("Suspect: ") for each in texts)


def test_a_label_is_never_read_as_markup(rows: pd.DataFrame) -> None:
    hostile = rows.copy()
    hostile["label"] = "<a href='x'>y</a>"
    for figure in (bar_chart(hostile, "latency_ms"), tradeoff_chart(hostile, "accuracy")):
        assert "<a href" not in figure.to_json().replace("\\u003c", "<")


def test_the_trade_off_names_the_front(rows: pd.DataFrame) -> None:
    figure = tradeoff_chart(rows, "accuracy")
    named = {text for trace in figure.data[1:] for text in trace.text}
    assert {"TensorRT FP16", "ONNX Runtime FP16"} <= named
    assert list(figure.data[0].x) == [0.401, 0.58]


def test_charts_draw_without_any_figure(rows: pd.DataFrame) -> None:
    empty = rows[rows["status"].isin(["failed", "unsupported"])]
    for metric in SIDE_BY_SIDE:
        assert bar_chart(empty, metric).data == ()
    assert len(tradeoff_chart(empty, "accuracy").data) == 1


def test_layers_add_up_to_the_whole() -> None:
    profile = gpu_document().variants[5].profile
    figure = layer_chart(layers(profile), family="tensorrt", shown=5)
    assert sum(figure.data[0].x) == pytest.approx(sum(each["ms"] for each in profile["layers"]))
    assert figure.layout.annotations[10].text == "17 more"


def test_the_sweep_marks_a_suspect_line() -> None:
    names = [trace.name for trace in throughput_chart(sweep(gpu_document())).data]
    assert "⚠ TensorRT FP8 (suspect)" in names


def test_unstable_is_written_at_the_bar(rows: pd.DataFrame) -> None:
    said = [each.text for each in bar_chart(rows, "latency_ms").layout.annotations]
    assert said.count("unstable") == 1
    assert "unstable" not in [each.text for each in bar_chart(rows, "file_bytes").layout.annotations]


def test_figures_hold_only_what_plotly_knows(rows: pd.DataFrame) -> None:
    for made in (bar_chart(rows, "latency_ms"), bar_chart(rows, "accuracy"), tradeoff_chart(rows, "accuracy")):
        assert go.Figure(made.to_dict()).layout.height == made.layout.height


def test_few_variants_are_all_drawn_and_many_keep_suspects_and_the_selected_one(rows: pd.DataFrame) -> None:
    assert foremost(rows) is rows
    many = sort(at_batch(compared(crowded_document(), "resident"), 1))
    short = foremost(many, "v1")
    assert len(short) == 12
    assert {"v0", "v1", "v32", "v33", "v34", "v35"} <= set(short["variant"])
    assert not (short["status"] == "failed").any()
    assert left_out(many, many) == ""


def test_captions_are_readable_in_the_light_theme() -> None:
    faded = 0.6  # Streamlit draws captions with this part of the text's colour
    for ground in (BACKGROUND["light"], SURFACE["light"]):
        pairs = zip(bytes.fromhex(TEXT["light"][1:]), bytes.fromhex(ground[1:]), strict=True)
        mixed = "#" + bytes(round(faded * text + (1 - faded) * page) for text, page in pairs).hex()
        assert contrast(mixed, ground) >= 4.5


def test_the_trade_off_never_calls_agreement_accuracy() -> None:
    one = at_batch(compared(quick_document(), "resident"), 1)
    assert "Agreement with the original" in tradeoff_chart(one, "accuracy").layout.yaxis.title.text
