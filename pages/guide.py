import streamlit as st

from pages import ui

ui.begin()
st.title("guide")
