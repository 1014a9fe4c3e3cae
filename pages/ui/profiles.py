"""Where the time of a variant goes, from its profile, and what was fused."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from engine import schedule
from engine.analysis import numbers
from engine.analysis.roofline import roof_of
from engine.document import Result, VariantDocument
from engine.frames import layers
from engine.plots import layer_chart, layers_in_words
from engine.store import ComparisonRow
from pages.ui import badges, charts
from pages.ui.context import settings, store


def time(row: ComparisonRow, variant: VariantDocument, line: pd.Series) -> None:
    """Where the time goes, from the profile; without one, a button that asks for it. Nothing for what never ran."""
    if pd.isna(line["latency_ms"]):
        return
    st.header("Where the time goes")
    if row.workload.device != "cpu" and pd.notna(line["enqueue_ms"]) and line["latency_ms"] > 0:
        share = line["enqueue_ms"] / line["latency_ms"]
        st.markdown(
            f"Enqueueing takes {numbers.duration(line['enqueue_ms'])}, {numbers.percent(share, 2)} of the latency."
        )
    profile = variant.profile
    found = layers(profile)
    if found.empty:
        no_profile(row, variant, line)
        return
    busy, launches = profile.get("busy_ms"), profile.get("launches")
    facts = [
        f"{numbers.duration(float(busy))} of device time" if busy else "",
        f"{float(launches):,g} launches" if launches else "",
    ]
    st.caption(" · ".join(filter(None, facts)))
    charts.show(
        layer_chart(found, family=variant.family, theme=charts.theme()),
        key="chart_layers",
        alt=layers_in_words(found),
    )
    providers = {name: facts.get("nodes") for name, facts in (profile.get("providers") or {}).items()}
    if len(providers) > 1:
        said = ", ".join(f"{count} nodes on {badges.plain(name)}" for name, count in providers.items())
        st.markdown(f"It runs in parts: {said}.")
    for each in profile.get("notes") or ():
        st.caption(badges.plain(str(each)))
    with st.expander("Every layer"):
        st.dataframe(found, hide_index=True)


def no_profile(row: ComparisonRow, variant: VariantDocument, line: pd.Series) -> None:
    """Say that there is no profile, and offer to make one where that is possible."""
    if row.origin != "measured":
        st.caption("This variant was not profiled when it was recorded.")
        return
    asked = any(each.profile for each in store().variants(row.id) if each.id == variant.id)
    if asked and row.active:
        watch_profile(row.id, row.revision)
        return
    phases = store().state(row.id).phases
    failed = [each for each in phases if each.kind == "profile" and each.variant_id == variant.id]
    if failed and failed[-1].reason:
        st.warning(f"{badges.plain(failed[-1].reason)} {badges.plain(failed[-1].hint)}", icon=":material/warning:")
    if st.button("Profile this variant", icon=":material/troubleshoot:", key="profile"):
        store().request_profile(row.id, variant.id)
        schedule.ensure_running(settings())
        st.rerun()


@st.fragment(run_every=1)
def watch_profile(comparison: str, revision: int) -> None:
    """Wait for the profile; run the page again when something new is there."""
    now = store().comparison(comparison)
    if now.revision != revision or not now.active:
        st.rerun()
    st.progress(0.0, text="Profiling: time per layer and kernel")


def fused(variant: VariantDocument) -> None:
    """Which original layers each fused one came from."""
    before, after = variant.profile.get("layers_before"), variant.profile.get("layers_after")
    groups = [each for each in variant.profile.get("layers") or () if len(each.get("origin") or ()) > 1]
    if not groups and not (before and after):
        return
    st.header("What was fused")
    if before and after:
        st.markdown(f"**{before} layers became {after}.**")
    table = [
        {"Fused layer": each["name"], "From": ", ".join(each["origin"]), "Precision": each.get("precision", "")}
        for each in groups
    ]
    if table:
        st.dataframe(pd.DataFrame(table), hide_index=True)


def limit(variant: VariantDocument, result: Result) -> None:
    """How close a result comes to what this device could do at best."""
    roof = roof_of(result, variant)
    if roof is None:
        return
    st.header("Against this device's limit")
    st.markdown(
        f"**{numbers.percent(roof.fraction, 2)} of the limit.** This device needs at least "
        f"{numbers.duration(roof.limit_ms)} for this model, bound by "
        f"{'arithmetic' if roof.bound == 'compute' else 'memory bandwidth'}; "
        f"the variant does {roof.tflops:.3g} TFLOP/s and moves {roof.gigabytes_per_s:.3g} GB/s."
    )
    st.caption(
        "The limit is a roofline: the model's arithmetic over the device's measured arithmetic, or its weights, inputs "
        "and outputs over the measured bandwidth, whichever takes longer."
    )
