"""Two answers to the same input, side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from engine.analysis import numbers
from engine.document import VariantDocument
from engine.errors import OptibenchError
from engine.live.reading import Prediction, class_name, differences, likeliest, prediction
from engine.live.worker import Answer
from engine.measure.outputs import Comparison
from engine.plots.colours import colour
from engine.plots.predictions import predictions_chart
from engine.spec import ModelSpec
from pages.ui import badges, charts, demo_input, tasks
from pages.ui.context import store
from pages.ui.demo import Pair
from pages.ui.demo_run import Exchange

TOP = 5
FEW_CALLS = 10
FIRST_VALUES = 4
SMALL = 0.01


def draw(pair: Pair, exchange: Exchange) -> None:
    """Both answers, and above them what they have in common."""
    spec = store().comparison(pair.comparison).spec
    answers = [exchange.answers[each.id] for each in pair.variants]
    good = [each for each in answers if isinstance(each, Answer)]
    reasons = {str(each) for each in answers if isinstance(each, OptibenchError)}
    if not good and len(reasons) == 1:
        tasks.problem(reasons.pop())
        return
    said = [prediction(each.outputs, spec) for each in good]
    if len(good) == len(answers):
        st.header(badges.plain(verdict(pair, good, said)))
        st.caption(badges.plain(difference_text(differences(good[0].outputs, good[1].outputs, spec))))
    pictures = [each.picture for each in good if each.picture is not None]
    if pictures:
        demo_input.draw_picture(pictures[0], "The uploaded image as the model sees it")
    shown = likeliest([each for each in said if each is not None], TOP) if said and None not in said else []
    for place, variant, label, status, answer in zip(
        st.columns(2, gap="medium"), pair.variants, pair.labels, pair.statuses, answers, strict=True
    ):
        with place:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{badges.plain(label)}**", width="stretch")
                badges.status(status)
            if isinstance(answer, OptibenchError):
                tasks.problem(answer.reason, answer.hint)
                continue
            one(variant, status, answer, spec, shown, exchange.chosen.label)
    st.caption(
        f"Device-resident latency of single calls at batch size {pair.batch_size}, on a machine that may be doing "
        "other things. Figures to quote are those of the Compare page."
    )


def one(
    variant: VariantDocument, status: str, answer: Answer, spec: ModelSpec, shown: Sequence[int], label: int | None
) -> None:
    """One variant's prediction and times."""
    said = prediction(answer.outputs, spec)
    if said is not None:
        right = "" if label is None or label < 0 else " · right" if said.top == label else " · wrong"
        st.markdown(f"Says **{badges.plain(said.label)}**{right}")
    if said is not None and shown:
        names = [class_name(spec, each) for each in shown]
        shade = colour(variant.family, status, variant.baseline, charts.theme())
        figure = predictions_chart(names, [said.probabilities[each] for each in shown], shade, theme=charts.theme())
        charts.show(figure, key=f"chart_{variant.id}", alt=f"{variant.label}: {chart_text(names, said, shown)}")
    elif said is None:
        table(answer, spec)
    times(answer)


def chart_text(names: Sequence[str], said: Prediction, shown: Sequence[int]) -> str:
    """The chart in words."""
    parts = zip(names, shown, strict=True)
    return ", ".join(f"{name} {numbers.percent(said.probabilities[each])}" for name, each in parts)


def times(answer: Answer) -> None:
    """First call, running median and loading, each a figure of its own."""
    grid = st.grid(3, min_column_width=130)
    calls = f"Last {answer.calls} calls" if answer.calls != 1 else "Last call"
    grid.metric(
        f"{calls}, median" if answer.calls > 1 else calls if answer.calls else "Further calls",
        numbers.duration(answer.median_ms),
        help="The running median of single calls since the variant was opened, without its first call.",
    )
    grid.metric(
        "First call",
        numbers.duration(answer.first_call_ms),
        help="The first call after opening: it includes compiling and lazy set-up.",
    )
    grid.metric("Opening", numbers.seconds(answer.load_s), help="Loading the artifact, with importing its libraries.")


def verdict(pair: Pair, answers: Sequence[Answer], said: Sequence[Prediction | None]) -> str:
    """Whether both agree, and which is faster here."""
    first, second = said
    words = "Both have answered."
    if first is not None and second is not None:
        words = (
            f"Both say {first.label}."
            if first.top == second.top
            else (f"They disagree: {first.label} against {second.label}.")
        )
    return f"{words} {speed(pair, answers)}".strip()


def speed(pair: Pair, answers: Sequence[Answer]) -> str:
    """The ratio of the running medians, once there are enough calls."""
    first, second = answers
    if first.median_ms is None or second.median_ms is None or min(first.calls, second.calls) < FEW_CALLS:
        return ""
    ratio = numbers.ratio(first.median_ms / second.median_ms)
    if ratio == "the same":
        return "Both take the same time."
    return f"{pair.labels[1]} is {ratio} here than {pair.labels[0]}."


def difference_text(found: Sequence[Comparison]) -> str:
    """How far the outputs of the second are from those of the first."""
    if not found:
        return "They give different numbers of outputs, which can't be compared."
    problems = [each.problem or each.note for each in found if each.problem or each.note]
    if problems:
        return f"{problems[0]}."
    unequal = max(each.unequal or 0.0 for each in found)
    differing = [each for each in found if each.max_abs]
    if not differing:
        return f"{numbers.percent(unequal)} of the values differ." if unequal else "The outputs are equal, bit for bit."
    worst = max(differing, key=lambda each: math.inf if each.relative_l2 is None else each.relative_l2)
    where = f" in {worst.name}, the output that differs most" if len(found) > 1 else ""
    largest = f"the largest single difference is {amount(worst.max_abs)}"
    if worst.relative_l2 is None:
        return f"The first gives only zeros{where}; {largest}."
    return f"The outputs differ by {amount(worst.relative_l2)} of their size (relative L2 error){where}; {largest}."


def amount(value: float | None) -> str:
    """A difference: small ones as powers of ten."""
    if value is None:
        return numbers.DASH
    return f"{value:.1e}" if value < SMALL else numbers.significant(value)


def table(answer: Answer, spec: ModelSpec) -> None:
    """The outputs of a model that is no classifier, in short."""
    names = [each.name for each in spec.outputs]
    rows = [
        {
            "Output": names[number] if number < len(names) else f"output {number}",
            "Shape": "×".join(map(str, each.shape)) or "scalar",
            "Mean": float(np.mean(each)) if each.size and each.dtype.kind in "biuf" else None,
            "First values": ", ".join(
                f"{value:.4g}" if each.dtype.kind == "f" else str(value) for value in each.reshape(-1)[:FIRST_VALUES]
            ),
        }
        for number, each in enumerate(answer.outputs)
    ]
    st.dataframe(
        pd.DataFrame(rows), hide_index=True, column_config={"Mean": st.column_config.NumberColumn(format="%.4g")}
    )
