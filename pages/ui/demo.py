"""Which two variants the Demo page runs, what opens them, and what to say when that is not here."""

from __future__ import annotations

import platform
from dataclasses import dataclass

import streamlit as st

from engine import schedule
from engine.analysis.choice import candidates, fastest
from engine.document import ComparisonDocument, VariantDocument
from engine.errors import OptibenchError
from engine.frames import at_batch, latencies, machine
from engine.live.choosing import common_batch, ran, serve_job
from engine.store import ComparisonRow
from engine.worker.jobs import ServeJob
from pages.ui import badges, demo_input, tasks
from pages.ui.context import frame, settings, store
from pages.ui.demo_input import Chosen

PLACES = ("left", "right")


@dataclass(frozen=True)
class Pair:
    """The two variants, and the batch size that both ran at."""

    comparison: str
    variants: tuple[VariantDocument, VariantDocument]
    labels: tuple[str, str]
    statuses: tuple[str, str]
    batch_size: int

    @property
    def key(self) -> tuple[str, ...]:
        """What tells this pair from another."""
        return (self.comparison, *(each.id for each in self.variants), str(self.batch_size))


def is_elsewhere(row: ComparisonRow) -> bool:
    """Whether what the variants were built into lies on another machine."""
    return row.origin != "measured" or (bool(row.host) and row.host != platform.node())


def explain_elsewhere(row: ComparisonRow, found: ComparisonDocument) -> None:
    """Say why nothing can be run, and what to do for it."""
    st.info(
        f"This comparison was measured on another machine ({badges.plain(machine(found))}), and what it built is "
        "not here. Compare the same model on this machine to try its variants.",
        icon=":material/info:",
    )
    known = next((each for each in store().models() if each.spec.digest and each.spec.digest == row.spec.digest), None)
    if known is not None:
        label = f"Compare {known.name} here"
        st.page_link(
            "pages/optimize.py", label=label, icon=":material/arrow_forward:", query_params={"model": known.id}
        )
    else:
        st.page_link("pages/models.py", label="Add the model here", icon=":material/arrow_forward:")


def pick_pair(row: ComparisonRow, found: ComparisonDocument) -> Pair | None:
    """Choose two variants; they are in the URL. None when fewer than two have run."""
    usable = [each.id for each in found.variants if ran(found, each.id)]
    if len(usable) < 2:
        st.info("Fewer than two variants of this comparison have run.", icon=":material/info:")
        st.page_link("pages/runs.py", label="See its runs", icon=":material/arrow_forward:")
        return None
    labels = badges.distinct({each.id: each.label for each in found.variants})
    first, second = st.columns(2, gap="medium")
    with first:
        left = pick(row, PLACES[0], "First variant", usable, labels, default_left(found, usable))
    others = [each for each in usable if each != left]
    with second:
        right = pick(row, PLACES[1], "Second variant", others, labels, default_right(row, found, others))
    try:
        size = common_batch(found, (left, right))
    except OptibenchError as error:
        tasks.problem(error.reason, error.hint)
        return None
    by_id = {each.id: each for each in found.variants}
    statuses = [next(each.status for each in by_id[id].results if each.batch_size == size) for id in (left, right)]
    return Pair(row.id, (by_id[left], by_id[right]), (labels[left], labels[right]), (statuses[0], statuses[1]), size)


def pick(row: ComparisonRow, place: str, title: str, ids: list[str], labels: dict[str, str], default: str) -> str:
    """One variant; the URL names it."""
    asked = st.query_params.get(place, "")
    current = asked if asked in ids else default
    picked = st.selectbox(
        title, ids, ids.index(current), format_func=labels.__getitem__, key=f"{place}_{row.id}_{current}"
    )
    st.query_params[place] = picked
    return picked


def default_left(found: ComparisonDocument, usable: list[str]) -> str:
    """The baseline, where it ran."""
    return found.baseline.id if found.baseline is not None and found.baseline.id in usable else usable[0]


def default_right(row: ComparisonRow, found: ComparisonDocument, others: list[str]) -> str:
    """The fastest correct variant among these at the smallest batch size."""
    rows = frame(row, (latencies(found) or ["resident"])[0])
    rows = at_batch(rows[rows["variant"].isin(others)], int(rows["batch_size"].min()))
    best = fastest(candidates(rows))
    return str(best["variant"]) if best is not None else others[0]


def jobs_of(row: ComparisonRow, pair: Pair) -> dict[str, ServeJob] | None:
    """What opens each of the two; None when one is no longer there, and then it is said."""
    state = store().state(row.id)
    jobs = {}
    for variant, label in zip(pair.variants, pair.labels, strict=True):
        try:
            jobs[variant.id] = serve_job(store(), state, variant.id, pair.batch_size)
        except OptibenchError:
            offer_to_build(row, variant.id, label)
            return None
    return jobs


def offer_to_build(row: ComparisonRow, variant_id: str, label: str) -> None:
    """Say that an artifact is gone, and what brings it back."""
    gone = f"{badges.plain(label)}: what was built for it is no longer on this machine."
    if not row.model_folder.exists():
        st.warning(f"{gone} The model is gone too: add it and compare it again.", icon=":material/warning:")
        st.page_link("pages/models.py", label="Add the model", icon=":material/arrow_forward:")
        return
    st.warning(f"{gone} Choose another variant, or have it built and measured again.", icon=":material/warning:")
    if st.button("Build it again", key="build_again", icon=":material/refresh:", disabled=row.active):
        store().retry(row.id, variant_id)
        schedule.ensure_running(settings())
        st.switch_page("pages/runs.py", query_params={"comparison": row.id})


def pick_input(row: ComparisonRow, pair: Pair, *, ready: bool) -> Chosen | None:
    """Choose an input that fits the model; None while there is none yet."""
    spec = row.spec.with_shapes(row.workload.shapes)
    chosen = demo_input.choose(row.id, spec, demo_input.data_folder(store().state(row.id)))
    if pair.batch_size > 1 and chosen is not None and chosen.question.kind != "random":
        st.caption(f"Both ran at batch size {pair.batch_size} at least: the input is repeated to fill the batch.")
    return chosen if ready else None
