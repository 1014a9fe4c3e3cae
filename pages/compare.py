"""Size, accuracy, latency and throughput of every variant, side by side."""

from functools import partial

import streamlit as st

from engine.analysis.choice import meets
from engine.analysis.headline import cards, headline
from engine.frames import machine, sort, sweep
from engine.metrics import LATENCIES, side_by_side, title_of
from engine.plots import bar_chart, in_words, sweep_in_words, throughput_chart, tradeoff_chart
from pages import ui
from pages.ui import badges, charts, compare, lists, results
from pages.ui.constraints import constraints
from pages.ui.context import chosen, document, frame

ui.begin()
st.title("Compare")
row = lists.pick_comparison()
if row is None:
    st.stop()
found = document(row)
view = compare.controls(found)
rows = sort(frame(row, view.latency, view.baseline, view.batch_size), view.order)
limits = constraints(rows)
failing = rows[~meets(rows, limits)]
faded = set(failing["variant"])
if faded:
    names = badges.plain(", ".join(failing["label"]))
    st.caption(
        f"{len(rows) - len(faded)} of {len(rows)} variants meet the constraints. Pale, because they do not: {names}."
    )

with st.container(horizontal=True):
    badges.state_badge(row.state)
    badges.origin_badge(row.origin, (found.finished or found.created)[:10])
    st.badge(machine(found), icon=":material/memory:", color="gray")
    st.badge(f"{LATENCIES[view.latency]} latency, batch {view.batch_size}", icon=":material/timer:", color="gray")
st.header(badges.plain(headline(rows, limits)))
if not row.active and not rows["latency_ms"].notna().any():
    compare.nothing_measured(row, found, rows)
    st.stop()
compare.not_trusted(rows)
compare.card_row(cards(rows, limits))
if row.active:
    compare.watch(row.id, row.revision)

st.space("small")
theme, selected = charts.theme(), chosen("variant")
drawn = compare.drawn(rows, selected)
state = (row.id, row.revision, view, theme, frozenset(faded), selected)
grid = st.grid(4, min_column_width=charts.MIN_WIDTH)
for place, metric in zip(compare.PLACES, (view.size, *side_by_side(rows)[1:]), strict=True):
    title = title_of(rows, metric)
    draw = partial(bar_chart, drawn, metric, theme=theme, faded=faded, selected=selected, title=title)
    with grid.cell():
        charts.show(
            charts.kept((metric, title, len(drawn), *state), draw),
            key=f"chart_{place}",
            alt=in_words(drawn, metric, title),
            selects=True,
        )
st.caption(compare.legend(rows))

st.header("Trade-off")
against = compare.tradeoff_axis(rows)
draw = partial(tradeoff_chart, rows, against, theme=theme, faded=faded, selected=selected)
charts.show(
    charts.kept(("tradeoff", against, *state), draw),
    key="chart_tradeoff",
    alt=f"{in_words(rows, 'latency_ms')} {in_words(rows, against, title_of(rows, against))}",
    selects=True,
)

st.caption("The dotted line is the Pareto front: nothing is better at both. Diamonds are 16 bit, squares 8 bit.")

points = sweep(found)
if not points.empty and points["batch_size"].nunique() > 1:
    st.header("Throughput over batch sizes")
    draw = partial(throughput_chart, points, theme=theme)
    charts.show(
        charts.kept(("sweep", row.id, row.revision, theme), draw), key="chart_sweep", alt=sweep_in_words(points)
    )

st.header("All results")
results.table(rows, row.id)
if chosen("variant") in set(rows["variant"]):
    results.selected_variant(rows[rows["variant"] == chosen("variant")].iloc[0])
compare.exports(found)
