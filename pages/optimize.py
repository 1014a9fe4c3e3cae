"""Choose what to try: presets first, then a table that grows with every toggle."""

import streamlit as st

from engine import schedule
from engine.analysis import numbers
from engine.errors import OptibenchError
from pages import ui
from pages.ui import compose, lists, machine, tasks, variants, workload
from pages.ui.context import choose, settings, store
from pages.ui.estimate import estimate

ui.begin()
st.title("Optimize")
row = lists.pick_model()
if row is None:
    st.stop()

found = machine.find_out()
if found is None:
    st.stop()  # nothing may move under the cursor once it is drawn
with st.container(horizontal=True, vertical_alignment="bottom", gap="large"):
    device = workload.device_choice(found)
    preset = str(
        st.segmented_control(
            "Preset",
            list(variants.PRESETS),
            default="quick",
            format_func=variants.PRESETS.__getitem__,
            key="preset",
            wrap=True,
            required=True,
            persist_state="session",
        )
    )
st.caption(variants.ABOUT[preset])

with st.expander("Add variants", icon=":material/add:", expanded=preset == "none"):
    references = {
        "dataset": [(each.id, each.name) for each in store().datasets()],
        "model": [(each.id, each.name) for each in store().models() if each.id != row.id],
    }
    composed = compose.recipes(row.spec, device, references)
    st.divider()
    own = variants.own_recipe(row.id)

key = variants.spec_key(row.spec)
try:
    recipes = (
        *variants.preset_recipes(key, row.spec, device, preset, workload.has_dataset(row)),
        *(("", each) for each in composed),
        *own,
    )
    planned = variants.planned(key, row.spec, device, tuple(recipes))
    st.header("Variants")
    chosen = variants.table(planned, row.id)
    st.header("Workload")
    asked = workload.form(row, device, preset)
except OptibenchError as error:
    tasks.problem(error.reason, error.hint)
    st.stop()

ready = [each for each in chosen if not each.unsupported]
history = [
    phase for each in store().comparisons()[:5] if each.origin == "measured" for phase in store().state(each.id).phases
]
seconds, measured = estimate(chosen, asked, history)
basis = "from what earlier comparisons took here" if measured else "a first guess; nothing was measured here yet"
st.space("small")
with st.container(horizontal=True, vertical_alignment="center", border=True):
    with st.container(width="stretch", gap=None):
        skipped = f", {len(chosen) - len(ready)} will be skipped" if len(chosen) > len(ready) else ""
        noun = "variant" if len(ready) == 1 else "variants"
        st.markdown(f"**{len(ready)} {noun}** at batch {', '.join(map(str, asked.batch_sizes))}{skipped}")
        st.caption(f"About {numbers.clock(seconds)}, {basis}. It runs in the background and can be cancelled.")
    name = st.text_input(
        "Name", f"{row.name}, {variants.PRESETS[preset].lower()}", key=f"name_{row.id}_{preset}", width=320
    )
    run = st.button("Run", type="primary", icon=":material/play_arrow:", key="run", disabled=not ready)
if run:
    try:
        with st.spinner("Starting", show_time=True):
            comparison = store().create_comparison(name.strip() or row.name, row.id, asked, chosen)
            schedule.ensure_running(settings())
    except OptibenchError as error:
        tasks.problem(error.reason, error.hint)
        st.stop()
    choose("comparison", comparison)
    choose("variant", "")
    st.switch_page("pages/runs.py", query_params={"comparison": comparison, "model": row.id})
