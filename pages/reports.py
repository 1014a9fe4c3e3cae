"""The report as it will be handed out, and its downloads."""

import streamlit as st

from engine import report
from pages import ui
from pages.ui import compare, lists
from pages.ui.context import document

ui.begin()
st.title("Reports")
row = lists.pick_comparison()
if row is None:
    st.stop()
found = document(row)
compare.exports(found, link=False)
lists.manage(row)
st.caption("The preview is the report: one file that opens anywhere, without a network, and prints well.")
st.iframe(report.render(found, "html").decode(), height=1100)
