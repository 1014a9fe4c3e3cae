"""The System page's tables: what is ready, what is not and why, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from engine.formats import all_formats
from pages.ui.badges import plain

READY, MISSING, REFUSED = (
    "✓\N{NO-BREAK SPACE}Ready",
    "–\N{NO-BREAK SPACE}Not\N{NO-BREAK SPACE}here",
    "✕\N{NO-BREAK SPACE}Refused",
)


def table(kind: str, found: Mapping[str, Mapping[str, Any]]) -> None:
    """One kind of plugins: what is not ready first and in full, the rest folded away."""
    refused = {name: each for name, each in all_formats().items() if kind == "formats" and each.refusal}
    rows = [
        {
            "Name": plain(str(each.get("title") or name)),
            "State": REFUSED if name in refused else READY if each["ready"] else MISSING,
            "Why not": plain(refused[name].refusal if name in refused else each["reason"]),
            "What to do": plain(refused[name].instead if name in refused else each["hint"]),
            "Versions": ", ".join(f"{library} {version}" for library, version in each["versions"].items()),
        }
        for name, each in found.items()
    ]
    ready = [each for each in rows if each["State"] == READY]
    rest = [each for each in rows if each["State"] != READY]
    if rest:
        st.table(pd.DataFrame(rest)[["Name", "State", "Why not", "What to do"]], hide_index=True, border="horizontal")
    if ready:
        with st.expander(f"{len(ready)} ready", icon=":material/check_circle:", expanded=kind == "runtimes"):
            st.table(pd.DataFrame(ready)[["Name", "Versions"]], hide_index=True, border="horizontal")


def tool(facts: Mapping[str, Any]) -> str:
    """Where a tool outside Python's packages lies, or how to get it."""
    return plain(str(facts.get("path") or f"Not found. {facts.get('hint', '')}".strip()))
