"""The first page: one sentence, three ways in, and the last comparisons."""

import streamlit as st

from engine import intake
from pages import ui
from pages.ui import badges, lists, recorded, tasks
from pages.ui.context import choose, settings, store

ui.begin()


def begin_sample(name: str) -> None:
    """Take a sample model in hand, opening it first when this is the first time."""
    known = next((each for each in store().models() if each.origin == f"sample:{name}"), None)
    if known is not None:
        open_sample(known.id)
        return
    task = tasks.start(
        "Opening the sample", lambda on_event: intake.add_sample(settings(), store(), name, on_event=on_event)
    )
    st.session_state.sample_task = task
    st.rerun()


def open_sample(model: str) -> None:
    """Go on to the filled-in Optimize page."""
    choose("model", model)
    st.switch_page("pages/optimize.py", query_params={"model": model})


st.title("Optibench")
st.header("See what every optimization of your model buys, and what it costs, measured on this machine.")
st.space("small")

samples = intake.sample_cards()
grid = st.grid(3, min_column_width=260)
with grid.container(border=True, height="stretch"):
    st.markdown("**Try a sample**")
    st.caption("A small trained model with its data. First charts in about a minute.")
    by_name = {each["name"]: each for each in samples}
    if by_name:
        picked = st.selectbox(
            "Sample model",
            list(by_name),
            format_func=lambda name: by_name[name].get("title", name),
            label_visibility="collapsed",
        )
        st.caption(by_name[picked].get("description", ""))
        if st.button(
            "Try a sample", type="primary", icon=":material/rocket_launch:", key="try_sample", width="stretch"
        ):
            begin_sample(picked)
    else:
        st.caption("The sample models' weights are not in this installation.")
with grid.container(border=True, height="stretch"):
    st.markdown("**Upload a model**")
    st.caption("TorchScript, ONNX, an exported program, or weights of an architecture from the catalog.")
    st.space("stretch")
    if st.button("Upload a model", icon=":material/upload_file:", key="upload_model", width="stretch"):
        st.switch_page("pages/models.py", query_params={"add": "upload"})
with grid.container(border=True, height="stretch"):
    st.markdown("**Open recorded results**")
    st.caption("Real runs with machine, versions and date, to look at without a GPU.")
    st.space("stretch")
    results = st.popover(
        "Open recorded results", icon=":material/inventory_2:", width="stretch", key="recorded", on_change="rerun"
    )
    with results:
        found = recorded.recordings() if results.open else []
        if not found:
            st.caption("No recorded results are in this installation.")
        for each in found:
            label = badges.plain(f"{each.name} · {each.machine} · {each.date} · recorded, {each.variants} variants")
            if st.button(label, key=f"recorded_{each.path.name}", width="stretch", type="tertiary"):
                comparison = recorded.open_recording(each)
                choose("comparison", comparison)
                st.switch_page("pages/compare.py", query_params={"comparison": comparison})

if "sample_task" in st.session_state:
    task = tasks.find(st.session_state.sample_task)
    if task is None or task.done:
        del st.session_state.sample_task
        if task and task.result:
            open_sample(task.result)
        elif task:
            tasks.problem(task.reason, task.hint)
    else:
        tasks.follow(task.id)

st.space("small")
st.header("Last comparisons")
rows = store().comparisons()
if not rows:
    st.caption("None yet. The sample above is the quickest way to one.")
for row in rows[:8]:
    lists.comparison_line(row)
with st.expander("Import a comparison", icon=":material/upload:"):
    lists.import_form()
