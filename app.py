"""The dashboard: page configuration and navigation."""

import streamlit as st

from pages import ui

st.set_page_config(page_title="Optibench", page_icon=":material/speed:", layout="wide")
st.session_state.routed = True
ui.navigate().run()
