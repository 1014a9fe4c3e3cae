"""How far each variant is, with its log, and ways to cancel, retry or repeat it."""

from functools import partial

import streamlit as st

from engine import schedule
from engine.frames import batch_sizes, latencies, sort
from engine.metrics import side_by_side, title_of
from engine.plots import bar_chart, foremost, in_words, left_out
from pages import ui
from pages.ui import badges, charts, lists, runs
from pages.ui.context import document, frame, progress_at, settings, store

ui.begin()
st.title("Runs")
row = lists.pick_comparison()
if row is None:
    st.stop()
if row.active:
    schedule.ensure_running(settings())


@st.fragment(run_every=1 if row.active else None)
def live(comparison: str, active: bool) -> None:
    """Everything that changes while the comparison runs."""
    now = store().comparison(comparison)
    if active and not now.active:
        st.rerun()
    lines = store().progress(comparison) if now.active else progress_at(comparison, now.revision)
    runs.overview(now, lines)
    for line in lines:
        runs.variant_line(now, line)
    found = document(now)
    measured = latencies(found)
    if not measured:
        return
    st.header("So far" if now.active else "Results")
    size = batch_sizes(found)[0]
    rows = sort(frame(now, measured[0], batch_size=size))
    drawn = foremost(rows)
    theme = charts.theme()
    grid = st.grid(4, min_column_width=charts.MIN_WIDTH)
    for metric in side_by_side(rows):
        with grid.cell():
            title = title_of(rows, metric)
            draw = partial(bar_chart, drawn, metric, theme=theme, title=title)
            figure = charts.kept(("live", metric, title, now.id, now.revision, size, theme), draw)
            charts.show(figure, key=f"live_{metric}", alt=in_words(drawn, metric, title))
    settling = "Figures settle as rounds come in." if now.active else ""
    st.caption(" ".join(filter(None, (f"Batch {size}.", settling, left_out(rows, drawn)))))


with st.container(horizontal=True, vertical_alignment="center"):
    badges.state_badge(row.state)
    badges.origin_badge(row.origin)
    st.caption(f"{badges.plain(row.spec.name)} on {row.workload.device}", width="stretch")
    if row.active:
        if st.button("Cancel all", icon=":material/cancel:", key="cancel_all"):
            store().cancel(row.id)
            st.rerun()
        if st.button("Compare", icon=":material/bar_chart:", key="to_compare"):
            st.switch_page("pages/compare.py", query_params={"comparison": row.id})
    elif st.button("Compare", type="primary", icon=":material/bar_chart:", key="to_compare"):
        st.switch_page("pages/compare.py", query_params={"comparison": row.id})
live(row.id, row.active)
