"""Size, accuracy, latency and throughput of every variant, side by side."""

from functools import partial

import streamlit as st

from engine.analysis.choice import meets
from engine.analysis.headline import cards, headline
from engine.frames import machine, sort, sweep
from engine.metrics import LATENCIES, SIDE_BY_SIDE
from engine.plots import bar_chart, throughput_chart, tradeoff_chart
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
st.markdown(f"### {badges.plain(headline(rows, limits))}")
if not row.active and not rows["latency_ms"].notna().any():
    st.page_link("pages/runs.py", label="See what happened, and retry", icon=":material/arrow_forward:")
compare.not_trusted(rows)
compare.card_row(cards(rows, limits))
if row.active:
    compare.watch(row.id, row.revision)

st.space("small")
theme, selected = charts.theme(), chosen("variant")
state = (row.id, row.revision, view, theme, frozenset(faded), selected)
grid = st.grid(4, min_column_width=charts.MIN_WIDTH)
for place, metric in zip(compare.PLACES, (view.size, *SIDE_BY_SIDE[1:]), strict=True):
    title = compare.chart_title(rows, metric)
    draw = partial(bar_chart, rows, metric, theme=theme, faded=faded, selected=selected, title=title)
    with grid.cell():
        charts.show(
            charts.kept((metric, title, *state), draw),
            key=f"chart_{place}",
            alt=f"{title} of each variant; the table below has the figures",
            selects=True,
        )
st.caption(compare.legend(rows))

st.subheader("Trade-off")
against = compare.tradeoff_axis(rows)
draw = partial(tradeoff_chart, rows, against, theme=theme, faded=faded, selected=selected)
charts.show(
    charts.kept(("tradeoff", against, *state), draw),
    key="chart_tradeoff",
    alt="Latency of each variant against accuracy or size, with the Pareto front",
    selects=True,
)

st.caption("The dotted line is the Pareto front: nothing is better at both. Diamonds are 16 bit, squares 8 bit.")

points = sweep(found)
if not points.empty and points["batch_size"].nunique() > 1:
    st.subheader("Throughput over batch sizes")
    draw = partial(throughput_chart, points, theme=theme)
    charts.show(
        charts.kept(("sweep", row.id, row.revision, theme), draw), key="chart_sweep", alt="Throughput by batch size"
    )

st.subheader("All results")
results.table(rows, row.id)
if chosen("variant") in set(rows["variant"]):
    results.selected_variant(rows[rows["variant"] == chosen("variant")].iloc[0])
compare.exports(found)
