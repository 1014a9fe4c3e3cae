"""Lines for models and comparisons, each with the one thing to do next."""

from __future__ import annotations

from datetime import datetime

import streamlit as st

from engine import document as documents
from engine.errors import BadInput
from engine.store import ComparisonRow, ModelRow
from pages.ui import badges
from pages.ui.context import choose, comparison_in_hand, model_in_hand, store


def when(seconds: float) -> str:
    """A moment in the machine's own time."""
    return datetime.fromtimestamp(seconds).strftime("%d %b %Y, %H:%M")


def open_comparison(row: ComparisonRow) -> None:
    """Take a comparison in hand and go where it can be seen: its runs, or its results."""
    choose("comparison", row.id)
    page = "pages/runs.py" if row.active else "pages/compare.py"
    st.switch_page(page, query_params={"comparison": row.id})


def comparison_line(row: ComparisonRow) -> None:
    """One comparison: name, model, device, state, and a button."""
    with st.container(horizontal=True, vertical_alignment="center", border=True):
        with st.container(width="stretch", gap=None):
            st.markdown(f"**{badges.plain(row.name)}**")
            st.caption(f"{badges.plain(row.spec.name)} · {row.workload.device} · {when(row.created)}")
        badges.origin_badge(row.origin)
        badges.state_badge(row.state)
        label = "Follow" if row.active else "Compare"
        if st.button(label, key=f"open_{row.id}", icon=":material/arrow_forward:"):
            open_comparison(row)


def pick_comparison() -> ComparisonRow | None:
    """The comparison in hand, with a list to change it; says what to do when there is none."""
    rows = store().comparisons()
    if not rows:
        st.info("There is no comparison yet.", icon=":material/info:")
        st.page_link("pages/start.py", label="Start one", icon=":material/arrow_forward:")
        return None
    current = comparison_in_hand() or rows[0]
    ids = [each.id for each in rows]
    names = badges.distinct({each.id: f"{each.name} · {when(each.created)}" for each in rows})
    picked = st.selectbox(
        "Comparison", ids, ids.index(current.id), format_func=lambda id: names[id], key=f"pick_{current.id}"
    )
    choose("comparison", picked)
    if picked != current.id:
        choose("variant", "")
        st.rerun()
    return store().comparison(picked)


def pick_model() -> ModelRow | None:
    """The model in hand, with a list to change it; says what to do when there is none."""
    rows = store().models()
    if not rows:
        st.info("There is no model yet.", icon=":material/info:")
        st.page_link("pages/models.py", label="Add one", icon=":material/arrow_forward:")
        return None
    current = model_in_hand() or rows[0]
    names = badges.distinct({each.id: f"{each.name} · {each.spec.format}" for each in rows})
    ids = list(names)
    picked = st.selectbox("Model", ids, ids.index(current.id), format_func=names.__getitem__, key=f"pick_{current.id}")
    choose("model", picked)
    if picked != current.id:
        st.rerun()
    return store().model(picked)


def import_form() -> None:
    """Take in a comparison that another dashboard exported."""
    file = st.file_uploader("Import a comparison (JSON from another dashboard)", type=["json", "gz"], key="import_file")
    if file is not None and st.button("Import", key="import", icon=":material/upload:"):
        try:
            imported = store().import_document(documents.parse(file.getvalue()))
        except BadInput as error:
            st.error(f"{badges.plain(error.reason)} {badges.plain(error.hint)}", icon=":material/error:")
        else:
            choose("comparison", imported)
            choose("variant", "")
            st.switch_page("pages/compare.py", query_params={"comparison": imported})


def manage(row: ComparisonRow) -> None:
    """Import another comparison; rename or delete this one."""
    with st.expander("Import, rename, delete", icon=":material/more_horiz:"):
        import_form()
        name = st.text_input("Name", row.name, key=f"rename_{row.id}", width=400)
        if st.button("Rename", key=f"do_rename_{row.id}", disabled=not name.strip() or name == row.name):
            store().rename(row.id, name.strip())
            st.rerun()
        sure = st.checkbox("Delete this comparison and its results", key=f"sure_{row.id}")
        if st.button("Delete", key=f"delete_{row.id}", disabled=not sure or row.active, icon=":material/delete:"):
            store().delete_comparison(row.id)
            choose("comparison", "")
            st.rerun()
