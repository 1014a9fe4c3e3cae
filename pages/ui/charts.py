"""Plotly figures on a page: our own templates, the reader's theme, clicks that select a variant."""

from __future__ import annotations

from collections.abc import Callable

import plotly.graph_objects as go
import streamlit as st

from engine.plots.colours import Theme
from pages.ui.context import choose, chosen

MIN_WIDTH = 220
"""Pixels that a chart needs; four stand side by side where there is room, else two."""
CONFIG = {"displayModeBar": False, "displaylogo": False}


def theme() -> Theme:
    """The theme the reader sees."""
    return "dark" if st.context.theme.type == "dark" else "light"


def show(figure: go.Figure, key: str, alt: str, *, selects: bool = False) -> None:
    """Draw a figure; with `selects`, a click on a point takes its variant in hand."""
    if not selects:
        st.plotly_chart(figure, theme=None, key=key, config=CONFIG, alt=alt)
        return
    st.plotly_chart(
        figure,
        theme=None,
        key=key,
        config=CONFIG,
        alt=alt,
        on_select=lambda: select(key),
        selection_mode="points",
    )


@st.cache_resource(max_entries=512, show_spinner=False)
def kept(key: tuple[object, ...], _draw: Callable[[], go.Figure]) -> go.Figure:
    """A figure made once; `key` holds everything that it depends on. It is shared and must not be changed."""
    return _draw()


def select(key: str) -> None:
    """Take the variant under a click in hand; a click beside the points lets go of it."""
    points = st.session_state[key].selection.points
    variant = points[0].get("customdata") if points else ""
    variant = variant[0] if isinstance(variant, list) else variant
    choose("variant", "" if variant == chosen("variant") else str(variant or ""))
