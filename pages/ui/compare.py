"""Pieces of the Compare page: its controls, constraints, cards, table and exports."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from engine import report
from engine.analysis import numbers
from engine.analysis.headline import Card
from engine.analysis.suspects import suspects
from engine.document import ComparisonDocument
from engine.frames import batch_sizes, latencies
from engine.metrics import LATENCIES, LATENCY_HELP, METRICS, SIZES
from engine.plots import foremost, left_out
from engine.plots.colours import family_title
from engine.store import ComparisonRow
from pages.ui import badges, charts
from pages.ui.context import store

ORDERS = {
    "latency_ms": "Latency",
    "file_bytes": "Size",
    "accuracy": "Accuracy",
    "throughput_per_s": "Throughput",
    "order": "As entered",
}
NAMED = 3
PLACES = ("size", "accuracy", "latency", "throughput")


@dataclass(frozen=True)
class View:
    """What the reader looks at; all of it is in the URL."""

    batch_size: int
    latency: str
    baseline: str
    order: str
    size: str


def controls(document: ComparisonDocument) -> View:
    """Batch size, latency, baseline and order; each is kept in the URL."""
    sizes = [str(each) for each in batch_sizes(document)]
    kinds = latencies(document) or ["resident"]
    own = document.baseline
    ids = badges.distinct({each.id: each.label for each in document.variants})
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        size = st.segmented_control(
            "Batch size", sizes, default=sizes[0], key="batch", required=True, bind="query-params"
        )
        kind = st.segmented_control(
            "Latency",
            kinds,
            default=kinds[0],
            format_func=LATENCIES.__getitem__,
            key="latency",
            required=True,
            bind="query-params",
            help=" ".join(f"{LATENCIES[each]}: {LATENCY_HELP[each]}" for each in kinds),
        )
        baseline = st.selectbox(
            "Baseline",
            list(ids),
            list(ids).index(own.id) if own else 0,
            format_func=ids.__getitem__,
            key="baseline",
            bind="query-params",
            help="What speed-ups and sizes are compared with.",
            width=200,
        )
        order = st.selectbox(
            "Sort by", list(ORDERS), format_func=ORDERS.__getitem__, key="order", bind="query-params", width=130
        )
        bytes_of = st.selectbox(
            "Size means",
            SIZES,
            format_func=size_title,
            key="size",
            bind="query-params",
            width=160,
            help="Pruning may change non-zero bytes alone, quantization the file, a runtime the memory it takes.",
        )
    return View(
        int(size or sizes[0]), str(kind or kinds[0]), str(baseline or ""), str(order or "latency_ms"), str(bytes_of)
    )


def size_title(metric: str) -> str:
    """What one of the sizes is called in a list."""
    return "File on disk" if metric == "file_bytes" else METRICS[metric].title


def not_trusted(rows: pd.DataFrame) -> None:
    """What is suspect, before anything is praised."""
    found = suspects(rows)
    if found:
        named = [f"- **{badges.plain(label)}** never wins. {badges.plain(reason)}" for label, reason in found[:NAMED]]
        more = [f"- {len(found) - NAMED} more, in the table below"] if len(found) > NAMED else []
        said = "\n".join(["Suspect, their outputs differ too much from the original's:", *named, *more])
        st.warning(said, icon=":material/warning:")


def card_row(cards: list[Card]) -> None:
    """The four cards side by side."""
    grid = st.grid(4, min_column_width=charts.MIN_WIDTH)
    for card in cards:
        with grid.container(border=True, height="stretch", gap="xxsmall"):
            st.metric(card.title, card.figure, help=card.help, icon=card.icon)
            compared = f"  \n{badges.plain(card.compared)}" if card.compared else ""
            st.markdown(f"**{badges.plain(card.label)}**{compared}")
            if card.note:
                st.caption(badges.plain(card.note))


def drawn(rows: pd.DataFrame, selected: str) -> pd.DataFrame:
    """The rows of the charts; where there are too many, the reader can ask for all of them."""
    short = foremost(rows, selected)
    if len(short) == len(rows):
        return rows
    with st.container(horizontal=True, vertical_alignment="center"):
        everything = st.toggle(f"Draw all {len(rows)}", key="all", bind="query-params")
        if not everything:
            st.caption(left_out(rows, short), width="stretch")
    return rows if everything else short


def nothing_measured(row: ComparisonRow, document: ComparisonDocument, rows: pd.DataFrame) -> None:
    """Why there is nothing to draw, each reason once, and what can be done."""
    for (status, reason, hint), group in rows.groupby(["status", "reason", "hint"], sort=False):
        with st.container(border=True, gap="xxsmall"):
            badges.status(str(status))
            st.markdown(f"**{badges.plain('; '.join(group['label']))}**")
            st.markdown(badges.plain(f"{reason} {hint}".strip() or "No reason was recorded."))
    label = "See what happened, and retry" if row.origin == "measured" else "See its runs"
    st.page_link("pages/runs.py", label=label, icon=":material/arrow_forward:")
    exports(document)


def tradeoff_axis(rows: pd.DataFrame) -> str:
    """What latency is drawn against: a metric that has figures."""
    name = "Agreement" if (rows["accuracy_kind"] == "agreement").any() else "Accuracy"
    axes = {name: "accuracy", "File size": "file_bytes"}
    usable = [name for name, metric in axes.items() if rows[metric].notna().any()] or ["File size"]
    picked = st.segmented_control(
        "Latency against", usable, default=usable[0], key="against", required=True, bind="query-params"
    )
    return axes[picked or usable[0]]


def legend(rows: pd.DataFrame) -> str:
    """What colours and bars mean, in one line."""
    families = list(dict.fromkeys(family_title(each) for each in rows["family"]))
    one = " One round was measured, so latency has no interval." if (rows["rounds"].dropna() <= 1).all() else ""
    weak = (
        " Outputs were checked on random inputs only, which is weak evidence."
        if (rows["evidence"] == "random").any()
        else ""
    )
    return (
        f"Grey is the baseline; a colour is a runtime family ({', '.join(families)}). Thin lines are 95% intervals."
        f"{one}{weak} A click on a bar or point selects its variant."
    )


def exports(document: ComparisonDocument, *, link: bool = True) -> None:
    """Downloads in every format, and the way to the report."""
    with st.container(horizontal=True, vertical_alignment="center"):
        for name, facts in report.formats().items():
            st.download_button(
                facts.title,
                data=functools.partial(report.render, document, name),
                file_name=report.file_name(document, name),
                mime=facts.mime,
                on_click="ignore",
                icon=":material/download:",
                help=facts.about,
                key=f"download_{name}",
            )
        if link:
            st.page_link("pages/reports.py", label="See the report", icon=":material/arrow_forward:")


@st.fragment(run_every=2)
def watch(comparison: str, revision: int) -> None:
    """Run the page again when there is something new to draw."""
    row = store().comparison(comparison)
    if row.revision != revision or not row.active:
        st.rerun()
    lines = store().progress(comparison)
    done = sum(each.stage == "done" for each in lines)
    left = [each.remaining_s for each in lines if each.remaining_s is not None]
    text = f"Measuring: {done} of {len(lines)} variants finished"
    remaining = f", {numbers.remaining(max(left))}" if left else ""
    st.progress(sum(each.fraction for each in lines) / max(1, len(lines)), text=text + remaining)
