"""The same input through two variants, live."""

import streamlit as st

from pages import ui
from pages.ui import demo, demo_run, lists, side_by_side
from pages.ui.context import document

ui.begin()
st.title("Demo")
st.caption("The same input through two variants of a comparison, on this machine, now.")
row = lists.pick_comparison()
if row is None:
    st.stop()
found = document(row)
if demo.is_elsewhere(row):
    demo.explain_elsewhere(row, found)
    st.stop()
pair = demo.pick_pair(row, found)
if pair is None:
    st.stop()
jobs = demo.jobs_of(row, pair)
chosen = demo.pick_input(row, pair, ready=jobs is not None)
pressed = demo_run.buttons(enabled=chosen is not None and jobs is not None)
if pressed and chosen is not None and jobs is not None:
    demo_run.run(pair, jobs, chosen, pressed)
demo_run.progress()
exchange = demo_run.last_exchange(pair, chosen)
if exchange is not None:
    side_by_side.draw(pair, exchange)
