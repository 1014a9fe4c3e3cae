"""The story of one variant: route, verdict, where the time goes, what was fused, what to try next."""

import streamlit as st

from engine.frames import batch_sizes, latencies
from pages import ui
from pages.ui import badges, explain, lists, profiles
from pages.ui.context import choose, chosen, document, frame

ui.begin()
st.title("Explain")
row = lists.pick_comparison()
if row is None:
    st.stop()
found = document(row)
if not found.variants:
    st.info(
        "This comparison has no variants. Choose another one, or start one on the Optimize page.",
        icon=":material/info:",
    )
    st.page_link("pages/optimize.py", label="Optimize a model", icon=":material/arrow_forward:")
    st.stop()
by_id = {each.id: each for each in found.variants}
labels = badges.distinct({each.id: each.label for each in found.variants})
ids = list(by_id)
with st.container(horizontal=True, vertical_alignment="bottom"):  # columns would cut off the batch sizes
    first, second = st.container(width="stretch"), st.container(width="content")
sizes = [str(each) for each in batch_sizes(found)]
with second:
    size = int(
        st.segmented_control("Batch size", sizes, default=sizes[0], key="batch", required=True, bind="query-params")
        or sizes[0]
    )
kind = (latencies(found) or ["resident"])[0]
rows = frame(row, kind, batch_size=size)
current = chosen("variant") if chosen("variant") in by_id else explain.opening(rows)
picked = first.selectbox(
    "Variant", ids, ids.index(current), format_func=labels.__getitem__, key=f"variant_{row.id}_{current}"
)
choose("variant", picked)
variant = by_id[picked]
result = next((each for each in variant.results if each.batch_size == size), None)
line = rows[rows["variant"] == picked].iloc[0]

with st.container(horizontal=True, vertical_alignment="center"):
    badges.status(line["status"])
    badges.origin_badge(row.origin, found.finished[:10])
    st.badge(variant.precision.upper() or "Precision unknown", icon=":material/straighten:", color="gray")
st.header(badges.plain(explain.verdict(line)))
explain.figures(line)
explain.route(variant)
if result is not None:
    explain.advice(result)
profiles.time(row, variant, line)
profiles.fused(variant)
if result is not None:
    profiles.limit(variant, result)
    explain.learned(result)
    explain.hybrid(result)
    explain.precision(result)
    explain.stability(result, kind)
explain.build(variant, result)
explain.reproduce(variant)
