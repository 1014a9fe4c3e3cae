"""The trade-off: latency against accuracy or size, with the variants nothing else beats."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from engine.analysis import numbers
from engine.analysis.pareto import front
from engine.metrics import METRICS, axis_of, title_of
from engine.plots.axes import log_ticks, spans_widely, zoom
from engine.plots.bars import FADED
from engine.plots.colours import MUTED, TEXT, Theme, colour, family_title
from engine.plots.hover import Row, describe
from engine.plots.theme import figure, template

SYMBOLS = {"fp32": "circle", "tf32": "circle", "fp16": "diamond", "bf16": "diamond", "int8": "square", "fp8": "square"}
WIDTH, HEIGHT = 640.0, 440.0
PLOT_HEIGHT = 320.0


def tradeoff_chart(
    rows: pd.DataFrame,
    against: str,
    *,
    theme: Theme = "light",
    faded: Collection[str] = (),
    selected: str = "",
) -> go.Figure:
    """Draw latency (across) against `against` (accuracy or a size); one point for each variant.

    The line joins the Pareto front: nothing is better at both. Symbols tell precision: circle
    FP32, diamond FP16 or BF16, square 8 bit, triangle suspect. Each point's customdata is the variant's id.
    """
    rows = rows[rows["latency_ms"].notna() & rows[against].notna()]
    up, across = METRICS[against], METRICS["latency_ms"]
    log_x, log_y = spans_widely(rows["latency_ms"]), against != "accuracy" and spans_widely(rows[against])
    low, high = zoom(rows, up) if against == "accuracy" else (-np.inf, np.inf)
    scale, unit = axis_of(up, rows[against])
    title = title_of(rows, against)
    y = rows[against] * scale
    shown = rows.assign(x=rows["latency_ms"], y=y.clip(low, high), outside=(y < low) | (y > high))
    best = shown[front(shown, ["latency_ms", against])].sort_values("x")
    line = go.Scatter(
        x=best["x"],
        y=best["y"],
        mode="lines",
        name="Pareto front",
        line={"color": MUTED[theme], "width": 1.5, "dash": "dot"},
        hoverinfo="skip",
    )
    positions = label_positions(shown, set(best["variant"]), log_x=log_x, log_y=log_y)
    groups: dict[str, list[Row]] = {}
    for legend, row in zip(legend_group(shown), shown.to_dict("records"), strict=True):
        groups.setdefault(str(legend), []).append(row)
    traces = [family_trace(legend, group, positions, theme, faded, selected) for legend, group in groups.items()]
    return figure(
        [line, *traces],
        {
            "template": template(theme),
            "height": HEIGHT,
            "margin": {"l": 8, "r": 16, "t": 60, "b": 48},
            "xaxis": {**axis_title(across.title, across.axis, "lower", log=log_x), **padded(shown["x"], log_x)},
            "yaxis": {
                **axis_title(title, unit, up.better, log=log_y),
                **padded(shown["y"], log_y, most=100.6 if against == "accuracy" else np.inf),
            },
        },
    )


def legend_group(rows: pd.DataFrame) -> pd.Series:
    """The legend entry of each row: its family, or baseline, or suspect."""
    names = rows["family"].map(family_title)
    names = names.mask(rows["baseline"].astype(bool), "Baseline")
    return names.mask(rows["status"] == "suspect", "Suspect: outputs differ")


def family_trace(
    legend: str,
    group: Sequence[Row],
    positions: dict[str, str],
    theme: Theme,
    faded: Collection[str],
    selected: str,
) -> go.Scatter:
    """The points of one legend entry, named directly where there is room."""
    first = group[0]
    suspect = first["status"] == "suspect"
    return go.Scatter(
        x=[row["x"] for row in group],
        y=[row["y"] for row in group],
        mode="markers+text",
        name=legend,
        text=[name_of(row) if row["variant"] in positions else "" for row in group],
        textposition=[positions.get(row["variant"], "top center") for row in group],
        textfont={"size": 12, "color": TEXT[theme]},
        marker={
            "color": colour(first["family"], first["status"], bool(first["baseline"]), theme),
            "size": [18 if row["variant"] == selected else 13 for row in group],
            "symbol": [symbol(row) for row in group],
            "opacity": [FADED if row["variant"] in faded else 1.0 for row in group],
            "line": {"width": 2 if suspect else 0},
        },
        customdata=[row["variant"] for row in group],
        hovertemplate=[describe(row) + "<extra></extra>" for row in group],
        cliponaxis=False,
    )


def symbol(row: Row) -> str:
    """The marker of one point."""
    if row["outside"]:
        return "triangle-down"
    return "triangle-up-open" if row["status"] == "suspect" else SYMBOLS.get(row["precision"], "circle")


def name_of(row: Row) -> str:
    """The name at one point; off the axis it says where the point really is."""
    label = escape(str(row["label"]))
    return f"{label} ({numbers.percent(row['accuracy'])})" if row["outside"] else label


def axis_title(title: str, unit: str, better: str, *, log: bool) -> dict[str, object]:
    """Name, unit, scale and direction of an axis."""
    scale = ", log scale" if log else ""
    return {"title": {"text": f"{title} ({unit}{scale}) · {better} is better"}, "type": "log" if log else "linear"}


def padded(values: pd.Series, log: bool, most: float = np.inf) -> dict[str, object]:
    """A range with room for labels at both ends; `most` is the largest value there can be."""
    if values.empty:
        return {}
    low, high = float(values.min()), float(values.max())
    if log:
        low, high = float(np.log10(low)), float(np.log10(high))
    room = (high - low) * 0.14 or abs(high) * 0.05 or 1.0
    bottom = low - room if log or low > room else 0.0
    return {**(log_ticks(values) if log else {}), "range": [bottom, min(high + room, most)]}


def label_positions(rows: pd.DataFrame, important: set[str], *, log_x: bool, log_y: bool) -> dict[str, str]:
    """Where each name can stand without covering a point or another name.

    The front and the baseline are placed first, and always get a name.
    """
    place_x, place_y = scaled(rows["x"], log_x) * WIDTH, scaled(rows["y"], log_y) * PLOT_HEIGHT
    taken = [(x - 8, y - 8, x + 8, y + 8) for x, y in zip(place_x, place_y, strict=True)]
    records = rows.to_dict("records")
    order = sorted(range(len(rows)), key=lambda each: records[each]["variant"] not in important)
    positions: dict[str, str] = {}
    for each in order:
        row, x, y = records[each], float(place_x.iloc[each]), float(place_y.iloc[each])
        width = 6.6 * len(name_of(row))
        boxes = {
            "middle right": (x + 10, y - 8, x + 10 + width, y + 8),
            "middle left": (x - 10 - width, y - 8, x - 10, y + 8),
            "top center": (x - width / 2, y + 9, x + width / 2, y + 25),
            "bottom center": (x - width / 2, y - 25, x + width / 2, y - 9),
            "top right": (x + 6, y + 6, x + 6 + width, y + 22),
            "bottom right": (x + 6, y - 22, x + 6 + width, y - 6),
            "top left": (x - 6 - width, y + 6, x - 6, y + 22),
            "bottom left": (x - 6 - width, y - 22, x - 6, y - 6),
        }
        collisions = {name: crowding(box, taken) for name, box in boxes.items()}
        name = min(collisions, key=collisions.__getitem__)
        if not collisions[name] or row["variant"] in important or row["baseline"]:
            positions[row["variant"]] = name
            taken.append(boxes[name])
    return positions


def scaled(values: pd.Series, log: bool) -> pd.Series:
    """Values as fractions of the axis they are drawn on."""
    shown = np.log10(values) if log else values
    span = float(shown.max() - shown.min())
    return (shown - shown.min()) / span * 0.78 + 0.11 if span else shown * 0 + 0.5


def crowding(box: tuple[float, ...], taken: Sequence[tuple[float, ...]]) -> float:
    """How much stands in the way of a name: the area it would cover, and what lies outside the chart."""
    outside = max(0.0, -box[0]) + max(0.0, box[2] - WIDTH * 1.05)
    return outside * (box[3] - box[1]) + sum(overlap(box, each) for each in taken)


def overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """The area that two boxes share."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return width * height if width > 0 and height > 0 else 0.0
