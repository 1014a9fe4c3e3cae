"""Pieces of the Runs page: the whole comparison at a glance, and one line for each variant."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from engine.analysis import numbers
from engine.store import ComparisonRow, VariantProgress
from pages.ui import badges, training
from pages.ui.context import store

STAGES = {
    "prepare": "Preparing data",
    "reference": "Running the original",
    "build": "Building",
    "measure": "Measuring",
    "profile": "Profiling",
    "done": "Finished",
}
BROKEN = ("failed", "oom", "timeout", "crashed")
BAD = ("suspect", "unsupported", "cancelled", *BROKEN)
LOG_TAIL = 20_000


def overview(row: ComparisonRow, lines: list[VariantProgress]) -> None:
    """One bar for all variants, with what is left."""
    done = sum(each.stage == "done" for each in lines)
    if not row.active:
        bad = [each for each in lines if each.status in BAD]
        seconds = sum(each.elapsed_s for each in lines)
        took = f" They took {numbers.clock(seconds)} of this machine's time." if seconds else ""
        st.markdown(f"**{len(lines) - len(bad)} of {len(lines)} variants worked.**{took}")
        return
    left = [each.remaining_s for each in lines if each.remaining_s is not None]
    remaining = f" · {numbers.remaining(max(left))}" if left else ""
    fraction = sum(each.fraction for each in lines) / max(1, len(lines))
    st.progress(min(1.0, fraction), text=f"{done} of {len(lines)} variants finished{remaining}")


def variant_line(row: ComparisonRow, line: VariantProgress) -> None:
    """One variant: status, stage, progress, time, and what can be done about it."""
    with st.container(border=True, gap="small"):
        with st.container(horizontal=True, vertical_alignment="center"):
            badges.status(line.status)
            baseline = " (baseline)" if line.baseline else ""
            st.markdown(f"**{badges.plain(line.label)}**{baseline}", width="stretch")
            st.caption(timing(line), width="content")
            actions(row, line)
        if line.status in ("queued", "running") and row.active:
            stage = STAGES.get(line.stage, line.stage.capitalize())
            text = f"{stage}: {line.text}" if line.text else stage
            st.progress(min(1.0, line.fraction), text=badges.plain(text))
            if line.log is not None and line.status == "running":
                training.draw(training.live(line.log.parent), key=f"curve_{line.variant_id}")
        if line.failing_step and line.status in BROKEN:
            st.markdown(f"**{badges.plain(line.recipe)}: failed in {badges.plain(step_name(line))}**")
        if line.reason:
            st.markdown(f"{badges.plain(line.reason)} {badges.plain(line.hint)}")


def step_name(line: VariantProgress) -> str:
    """The step that failed, or what was going on after the last step, in words."""
    return STAGES.get(line.failing_step, line.failing_step).lower()


def timing(line: VariantProgress) -> str:
    """Elapsed and remaining time."""
    parts = [f"{numbers.clock(line.elapsed_s)} so far" if line.status == "running" else ""]
    if line.status not in ("running", "queued") and line.elapsed_s:
        parts.append(f"took {numbers.clock(line.elapsed_s)}")
    if line.remaining_s is not None and line.status in ("running", "queued"):
        parts.append(numbers.remaining(line.remaining_s))
    return " · ".join(filter(None, parts))


def actions(row: ComparisonRow, line: VariantProgress) -> None:
    """Details, cancel, retry."""
    details = st.popover("Details", icon=":material/article:", key=f"details_{line.variant_id}", on_change="rerun")
    if details.open:
        with details:
            more(line)
    if row.origin != "measured":
        return
    if row.active and line.status in ("queued", "running"):
        if st.button("Cancel", key=f"cancel_{line.variant_id}", icon=":material/cancel:"):
            store().cancel(row.id, line.variant_id)
            st.rerun(scope="fragment")
    elif line.status not in ("ok", "queued", "running", "unsupported"):
        help = f"It failed in {step_name(line)}." if line.failing_step else "Run it again."
        if st.button("Retry", key=f"retry_{line.variant_id}", icon=":material/refresh:", help=help):
            store().retry(row.id, line.variant_id)
            st.rerun()


def more(line: VariantProgress) -> None:
    """Recipe, command and the end of the log."""
    st.markdown("Recipe")
    st.code(line.recipe, language=None)
    if line.reproduce:
        st.markdown("Repeat it in a terminal")
        st.code(line.reproduce, language=None, wrap_lines=True)
    if line.log is not None and line.log.exists():
        st.markdown("End of the log")
        st.code(tail(line.log) or "The log is empty.", language=None, height=320)


def tail(path: Path) -> str:
    """The end of a log."""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - LOG_TAIL))
        return stream.read().decode(errors="replace")
