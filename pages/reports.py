"""The report as it will be handed out, and its downloads."""

import streamlit as st

from engine import report
from pages import ui
from pages.ui import compare, lists
from pages.ui.context import document, document_at


@st.cache_data(max_entries=8, show_spinner="Writing the report")
def page(id: str, revision: int) -> str:
    """The report at one revision of the results."""
    return report.render(document_at(id, revision), "html").decode()


ui.begin()
st.title("Reports")
row = lists.pick_comparison()
if row is None:
    st.stop()
found = document(row)
compare.exports(found, link=False)
lists.manage(row)
st.caption("The preview is the report: one file that opens anywhere, without a network, and prints well.")
st.iframe(page(row.id, row.revision), height=1100)
