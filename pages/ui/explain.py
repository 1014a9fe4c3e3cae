"""Pieces of the Explain page, from the verdict down to the command that repeats it."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from engine.analysis import choice, numbers
from engine.document import Result, VariantDocument
from engine.plots import calls_chart, calls_in_words
from engine.plots.colours import STATUSES
from pages.ui import badges, charts, training


def verdict(line: pd.Series) -> str:
    """One sentence: how it did against the baseline, or why it has no figures."""
    if pd.isna(line["latency_ms"]):
        if line["status"] in ("queued", "running"):
            return f"{line['label']} is {line['status']}."
        return f"{STATUSES[line['status']].word}. {line['reason']} {line['hint']}".strip()
    latency = numbers.duration(line["latency_ms"])
    if line["status"] == "suspect":
        return f"Not to be trusted at {latency}: {line['reason']} {line['hint']}".strip()
    if line["baseline"]:
        return f"The baseline takes {latency} a call at batch {int(line['batch_size'])}."
    ratio = numbers.ratio(line["speedup"], line["speedup_low"], line["speedup_high"], different=line["different"])
    shaky = ", in unstable timings" if line["unstable"] else ""
    if ratio in ("no difference", "the same"):
        return f"{latency} a call: {ratio} to the baseline{shaky}."
    return f"{latency} a call: {ratio} than the baseline{shaky}."


def opening(rows: pd.DataFrame) -> str:
    """The variant to begin with: the fastest correct one, or the first where none is."""
    best = choice.fastest(choice.candidates(rows))
    return str((rows.iloc[0] if best is None else best)["variant"])


def figures(line: pd.Series) -> None:
    """The main figures in a row; those that there are none of are left out."""
    shown = [
        ("Latency, median", numbers.duration(line["latency_ms"])),
        ("Throughput, samples", numbers.short_rate(line["throughput_per_s"])),
        ("File on disk", numbers.size(line["file_bytes"])),
        ("Agreement" if line["accuracy_kind"] == "agreement" else "Accuracy", numbers.percent(line["accuracy"])),
        ("First call", numbers.seconds(none(line["first_call_s"]))),
        ("Load", numbers.seconds(none(line["load_s"]))),
        ("Energy a sample", numbers.energy(none(line["sample_energy_j"]))),
        ("Power while busy", numbers.power(none(line["power_w"]))),
    ]
    shown = [(label, value) for label, value in shown if value != numbers.DASH]
    if not shown:
        return
    grid = st.grid(len(shown), min_column_width=150)
    for label, value in shown:
        grid.metric(label, value)


def none(value: float) -> float | None:
    """A figure, or None where the frame holds NaN."""
    return None if pd.isna(value) else float(value)


def route(variant: VariantDocument) -> None:
    """Every step really taken, and what each took."""
    st.header("Route")
    st.markdown(badges.plain(variant.route_text or "There is no route to this runtime."))
    rows = [
        {
            "Step": str(each.get("step") or each.get("name") or ""),
            "Took (s)": each.get("seconds"),
            "From cache": bool(each.get("cached")),
            "Warnings": "; ".join(map(str, each.get("warnings") or ())),
        }
        for each in variant.steps
    ]
    if rows:
        seconds = st.column_config.NumberColumn(format="%.3g")
        st.dataframe(pd.DataFrame(rows), hide_index=True, column_config={"Took (s)": seconds})
    for each in variant.steps:
        table = each.get("report")
        if isinstance(table, list) and table:
            with st.expander(f"Layer by layer: {each.get('step') or each.get('name')}"):
                st.dataframe(pd.DataFrame(table), hide_index=True)


def advice(result: Result) -> None:
    """What stands out and what to try next."""
    if not result.diagnosis and not result.unstable:
        return
    st.header("What stands out")
    for each in result.diagnosis:
        with st.container(border=True, gap="xxsmall"):
            st.markdown(f"**{badges.plain(each.get('finding', ''))}**")
            if each.get("advice"):
                st.markdown(f":material/lightbulb: {badges.plain(each['advice'])}")
    if result.unstable and not any(result.unstable in each.get("finding", "") for each in result.diagnosis):
        st.markdown(f":material/show_chart: Unstable: {badges.plain(result.unstable)}")


def learned(result: Result) -> None:
    """How training went, where a step trained."""
    for number, points in enumerate(result.details.get("training") or ()):
        if isinstance(points, list) and points:
            st.header("Training" if number == 0 else f"Training, part {number + 1}")
            training.draw(points, key=f"training_{number}")


def hybrid(result: Result) -> None:
    """What fell back to the CPU or to PyTorch."""
    nodes, fallbacks = result.details.get("nodes"), result.details.get("fallbacks") or ()
    partitions = result.details.get("partitions")
    if not nodes and not fallbacks and not partitions:
        return
    st.header("What ran where")
    if isinstance(nodes, dict):
        st.markdown(", ".join(f"{count} nodes on {badges.plain(str(name))}" for name, count in nodes.items()) + ".")
    if partitions:
        st.markdown(f"{partitions} TensorRT engine{'' if partitions == 1 else 's'}.")
    left = result.details.get("in_pytorch")
    if isinstance(left, dict) and left:
        named = ", ".join(f"{badges.plain(str(name))} ×{count}" for name, count in left.items())
        st.markdown(f"Operators that stayed in PyTorch: {named}.")
    if fallbacks:
        st.markdown(f"Fell back: {badges.plain(', '.join(map(str, fallbacks)))}.")


def precision(result: Result) -> None:
    """How far the outputs are from the original's, output by output."""
    parity = result.parity
    if parity is None:
        return
    st.header("Outputs against the original")
    if parity.evidence == "random":
        st.caption("Weak evidence: compared on seeded random inputs. A data set gives strong evidence.")
    if parity.reason:
        st.markdown(badges.plain(parity.reason))
    table = {
        "Relative error (L2)": f"{parity.relative_l2:.2e}" if parity.relative_l2 is not None else numbers.DASH,
        "Allowed": f"{parity.tolerance:.0e}" if parity.tolerance is not None else numbers.DASH,
        "Cosine": f"{parity.cosine:.6f}" if parity.cosine is not None else numbers.DASH,
        "Signal to noise": f"{parity.snr_db:.1f} dB" if parity.snr_db is not None else numbers.DASH,
        "Largest difference": f"{parity.max_abs:.2e}" if parity.max_abs is not None else numbers.DASH,
        "Top-1 agreement": numbers.percent(parity.top1_agreement),
        "Samples": f"{parity.samples}",
    }
    st.dataframe(pd.DataFrame([table]), hide_index=True)
    if len(parity.outputs) > 1:
        each = pd.DataFrame(
            sorted(parity.outputs.items(), key=lambda item: -item[1]), columns=["Output", "Relative error"]
        )
        st.dataframe(
            each, hide_index=True, column_config={"Relative error": st.column_config.NumberColumn(format="%.2e")}
        )


def stability(result: Result, kind: str) -> None:
    """Every timed call."""
    rounds = result.samples_ns.get(kind)
    if not rounds:
        return
    with st.expander("Every timed call, in order"):
        charts.show(calls_chart(rounds, theme=charts.theme()), key="chart_calls", alt=calls_in_words(rounds))


def build(variant: VariantDocument, result: Result | None) -> None:
    """What else the runtime and the build reported."""
    details = dict(result.details) if result else {}
    if not details:
        return
    with st.expander("What the runtime and the build reported"):
        st.json(details, expanded=1)


def reproduce(variant: VariantDocument) -> None:
    """The recipe and the command."""
    st.header("Repeat it")
    st.code(variant.recipe, language=None)
    if variant.reproduce:
        st.code(variant.reproduce, language=None, wrap_lines=True)
