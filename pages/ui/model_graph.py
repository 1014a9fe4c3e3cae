"""The graph of a model on the Models page: a picture, the way into its modules, and the same as a table."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from engine.analysis import numbers
from engine.model_graph import ModelGraph
from engine.plots import model_graph as outlines
from engine.plots.model_dot import dot
from engine.store import ModelRow
from pages.ui import charts

WHOLE = ""
HEIGHT = 720


def draw(row: ModelRow) -> None:
    """The whole model with repeated modules drawn once, or one module of it."""
    graph = row.spec.graph
    if not graph.nodes:
        st.caption(
            "There is no graph of this model: it was added before graphs were kept, or can't be drawn. Add it again."
        )
        return
    paths = outlines.modules(graph)
    inside = WHOLE
    if paths:
        inside = st.selectbox(
            "Look inside",
            [WHOLE, *paths],
            format_func=lambda path: name_of(graph, path),
            key=f"inside_{row.id}",
            help="Modules that are built alike are listed once.",
            width=480,
        )
    found, picture = drawing(row.id, row.spec.digest, inside, charts.theme(), graph)
    with st.container(height=HEIGHT, border=True, horizontal_alignment="center"):
        st.graphviz_chart(picture, alt=f"Graph of {row.name}; the table below says the same in words")
    shapes = "" if any(each.shape for each in graph.nodes) else " This format keeps no shapes."
    st.caption(f"Read from top to bottom. A thick border holds over a tenth of all parameters.{shapes}")
    with st.expander("The same as a table"):
        st.dataframe(table(graph, found), hide_index=True)


@st.cache_resource(max_entries=64, show_spinner=False)
def drawing(id: str, digest: str, inside: str, theme: str, _graph: ModelGraph) -> tuple[outlines.Outline, str]:
    """The boxes and their picture, made once."""
    found = outlines.outline(_graph, inside)
    return found, dot(_graph, found, theme="dark" if theme == "dark" else "light", inside=inside)


def name_of(graph: ModelGraph, path: str) -> str:
    """What a module is called in the list."""
    return " · ".join(filter(None, (path, graph.modules.get(path, "")))) or "The whole model"


def table(graph: ModelGraph, found: outlines.Outline) -> pd.DataFrame:
    """The boxes in words."""
    names = [f"{outlines.title(each)} ({number + 1})" for number, each in enumerate(found.boxes)]
    return pd.DataFrame(
        {
            "Part": names,
            "Where": [each.path for each in found.boxes],
            "Fed by": [
                ", ".join(names[source] for source, target in found.edges if target == number)
                for number in range(len(names))
            ],
            "Output shape": [outlines.shape_text(outlines.last(graph, each).shape) for each in found.boxes],
            "Parameters": [numbers.count(outlines.parameters(graph, each)) for each in found.boxes],
        }
    )
