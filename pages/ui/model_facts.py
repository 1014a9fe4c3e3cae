"""One model up close: its inputs and task to confirm, its structure, and what can be done with it."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import streamlit as st

from engine.analysis import numbers
from engine.runtimes import all_runtimes
from engine.spec import ModelSpec
from engine.steps import all_steps
from engine.store import ModelRow
from pages.ui import badges
from pages.ui.context import choose, store


def structure(spec: ModelSpec) -> None:
    """Operators and layers."""
    facts = [f"state: {spec.state}", f"{spec.control_flow} branches or loops that depend on data"]
    if spec.opset:
        facts.insert(0, f"opset {spec.opset}")
    if spec.architecture:
        facts.insert(0, f"architecture {spec.architecture}")
    st.caption(badges.plain(" · ".join(facts)))
    left, right = st.columns(2, gap="large")
    operators = pd.DataFrame(sorted(spec.operators.items(), key=lambda item: -item[1]), columns=["Operator", "Count"])
    left.dataframe(operators, hide_index=True, height=420)
    layers = pd.DataFrame(spec.layers, columns=["Layer", "Kind", "Parameters"])
    if layers.empty:
        right.caption("This format keeps no layers, only operators.")
    else:
        share = layers["Parameters"] / max(1, layers["Parameters"].sum())
        right.dataframe(
            layers.assign(Share=share * 100),
            hide_index=True,
            height=420,
            column_config={
                "Share": st.column_config.ProgressColumn("Share of parameters (%)", format="%.1f", max_value=100)
            },
        )


def possibilities(spec: ModelSpec) -> None:
    """Which techniques and runtimes take this model as it is, and what uploading it otherwise would unlock."""
    lines: list[tuple[str, str, str, str]] = []
    for step in all_steps():
        if spec.format in step.formats:
            reason = step.accepts(spec)
            missing = step.missing()
            lines.append(
                (
                    step.title or step.name,
                    step.kind,
                    "Not by itself" if reason else "Ready" if not missing else "Not installed",
                    str(reason or missing or ""),
                )
            )
    for name, runtime in all_runtimes().items():
        if spec.format in runtime.formats:
            missing = runtime.missing()
            lines.append(
                (runtime.title or name, "runtime", "Not installed" if missing else "Ready", str(missing or ""))
            )
    table = pd.DataFrame(lines, columns=["Technique", "Kind", "State", "Why"]).drop_duplicates(["Technique", "Kind"])
    st.dataframe(table, hide_index=True, column_config={"Why": st.column_config.TextColumn(width="large")})
    if spec.format != "torch-module":
        st.info(
            "Uploading the weights together with their architecture would add pruning, distillation, torch.compile and "
            "every path that starts from PyTorch.",
            icon=":material/lock_open:",
        )
    st.caption(
        f"{numbers.count(len(table))} techniques take this format directly; others are reached through a conversion."
    )


def manage(row: ModelRow) -> None:
    """Rename or delete."""
    name = st.text_input("Name", row.name, key=f"name_{row.id}", width=400)
    if st.button("Rename", key=f"rename_{row.id}", disabled=not name.strip() or name == row.name):
        store().update_model(row.id, replace(row.spec, name=name.strip()))
        st.rerun()
    sure = st.checkbox("Delete the model and its files; comparisons stay", key=f"sure_{row.id}")
    if st.button("Delete", key=f"delete_{row.id}", disabled=not sure, icon=":material/delete:"):
        store().delete_model(row.id)
        choose("model", "")
        st.rerun()
