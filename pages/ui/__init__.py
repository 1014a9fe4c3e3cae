"""What the pages share: navigation, the store, badges, charts, and forms drawn from options."""

from __future__ import annotations

import streamlit as st
from streamlit.navigation.page import Page

from pages.ui.badges import plain
from pages.ui.context import chosen, comparison_in_hand, follow_url, model_in_hand

PAGES = {
    "": [
        ("start", "Start", "home"),
        ("models", "Models", "deployed_code"),
        ("optimize", "Optimize", "tune"),
        ("runs", "Runs", "play_circle"),
        ("compare", "Compare", "bar_chart"),
        ("explain", "Explain", "troubleshoot"),
        ("demo", "Demo", "play_arrow"),
        ("reports", "Reports", "summarize"),
    ],
    "More": [
        ("system", "System", "memory"),
        ("guide", "Guide", "menu_book"),
    ],
}


def navigate() -> Page:
    """Declare the pages and give the one that the URL asks for."""
    return st.navigation(
        {
            section: [
                st.Page(f"pages/{name}.py", title=title, icon=f":material/{icon}:", default=name == "start")
                for name, title, icon in pages
            ]
            for section, pages in PAGES.items()
        },
        expanded=True,
    )


def begin() -> None:
    """What every page calls first: routing, and the model and comparison in hand.

    A cold deep link runs a page without `app.py`; then the pages are declared here and the script
    starts again through `app.py`.
    """
    if "routed" not in st.session_state:
        navigate()
        st.rerun()
    follow_url()
    in_hand()


def in_hand() -> None:
    """Name the model and the comparison in hand in the sidebar."""
    model, comparison = model_in_hand(), comparison_in_hand()
    with st.sidebar:
        if model is not None:
            st.caption(f"Model  \n**{plain(model.name)}**")
        if comparison is not None:
            st.caption(f"Comparison  \n**{plain(comparison.name)}**")


__all__ = ["PAGES", "begin", "chosen", "navigate"]
