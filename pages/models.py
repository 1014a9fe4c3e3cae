"""Upload a model or pick a sample, and see what it is and what can be done with it."""

import streamlit as st

from engine.analysis import numbers
from pages import ui
from pages.ui import add_model, badges, model_facts, model_form, model_graph, shapes_form
from pages.ui.context import choose, model_in_hand, store

ui.begin()
st.title("Models")
rows = store().models()
adding = not rows or "add" in st.query_params or "adding" in st.query_params
with st.expander("Add a model", expanded=adding, icon=":material/add:"):
    add_model.panel()
add_model.progress()  # outside, so that what it says is in sight however the fold stands
if not rows:
    st.stop()

current = model_in_hand() or rows[0]
ids = [each.id for each in rows]
names = badges.distinct({each.id: f"{each.name} · {each.spec.format}" for each in rows})
picked = st.selectbox("Model", ids, ids.index(current.id), format_func=names.__getitem__, key=f"model_{current.id}")
choose("model", picked)
row = store().model(picked)
spec = row.spec

with st.container(horizontal=True, vertical_alignment="center"):
    st.header(badges.plain(row.name), width="stretch")
    if st.button("Optimize this model", type="primary", icon=":material/tune:", key="to_optimize"):
        st.switch_page("pages/optimize.py", query_params={"model": row.id})

grid = st.grid(5, min_column_width=150)
grid.metric("Format", spec.format)
grid.metric("Parameters", numbers.count(spec.parameters))
grid.metric("File size", numbers.size(spec.size_bytes))
grid.metric("Task", spec.task)
grid.metric("Operators", f"{sum(spec.operators.values()):,}")
for text in spec.notes:
    st.caption(f":material/info: {badges.plain(text)}")
if spec.guessed:
    st.warning(f"Guessed, please confirm: {badges.plain(', '.join(spec.guessed))}.", icon=":material/help:")
shapes_form.ask(row)

inputs, graph, structure, possible, manage = st.tabs(
    ["Inputs and task", "Graph", "Operators and layers", "What can be done", "Manage"]
)
with inputs:
    model_form.edit(row)
with graph:
    model_graph.draw(row)
with structure:
    model_facts.structure(spec)
with possible:
    model_facts.possibilities(spec)
with manage:
    model_facts.manage(row)
