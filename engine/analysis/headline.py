"""The headline and the four cards, written from the numbers.

Suspect and failed variants never win. "No difference" is said in words, and so is a single round.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from engine.analysis import numbers
from engine.analysis.caveats import one_round, repeat, roughly, set_aside, uncertain, waiting
from engine.analysis.choice import Constraints, balanced, candidates, fastest, least_error, most_accurate, smallest

EQUAL_SIZE = 0.02


@dataclass(frozen=True)
class Card:
    """One answer: which variant is best at something, its figure, and how it compares.

    `note` carries the caveat that belongs beside the number. `variant` is empty when nothing qualifies.
    """

    title: str
    icon: str
    variant: str
    label: str
    figure: str
    compared: str
    note: str = ""
    help: str = ""


def baseline_row(frame: pd.DataFrame) -> pd.Series | None:
    """The baseline's row with a usable latency, or None."""
    rows = frame[frame["baseline"].astype(bool) & frame["latency_ms"].notna()]
    return None if rows.empty else rows.iloc[0]


def headline(frame: pd.DataFrame, constraints: Constraints | None = None) -> str:
    """One or two sentences: what is gained, what is lost, and whether to trust it.

    `frame` holds one batch size.
    """
    if frame.empty or not frame["latency_ms"].notna().any():
        return unfinished(frame)
    base, best = baseline_row(frame), fastest(candidates(frame, constraints))
    if best is None:
        return "No variant gave correct outputs and a latency, so there is no winner." + set_aside(frame)
    if base is None or pd.isna(best["speedup"]):
        return f"{best['label']} is the fastest at {numbers.duration(best['latency_ms'])}." + set_aside(frame)
    if best["variant"] == base["variant"] and waiting(frame):
        return f"The baseline, {base['label']}, takes {numbers.duration(base['latency_ms'])}; {waiting(frame)}."
    if best["variant"] == base["variant"]:
        said = f"Nothing beats the baseline, {base['label']}, at {numbers.duration(base['latency_ms'])}."
        return said + one_round(frame) + set_aside(frame)
    if best["different"] is False or best["speedup"] <= 1:
        return f"No variant is measurably faster than {base['label']}: no difference for {best['label']}." + set_aside(
            frame
        )
    gain = (
        roughly(best) if uncertain(best) else numbers.ratio(best["speedup"], best["speedup_low"], best["speedup_high"])
    )
    shaky = " in unstable timings" if best["unstable"] else ""
    words = f"{best['label']} is {gain} than {base['label']}{shaky}, {size_words(best, base)}{accuracy_words(best)}."
    so_far = f"So far: {words}" if waiting(frame) else words
    return so_far + one_round(frame) + repeat(best) + set_aside(frame)


def unfinished(frame: pd.DataFrame) -> str:
    """What to say when nothing has been measured."""
    if waiting(frame):
        return "Nothing is measured yet; results appear here as they come."
    return "No variant could be measured; the reasons are below."


def size_words(row: pd.Series, base: pd.Series) -> str:
    """The size compared with the baseline's."""
    if pd.isna(row["file_bytes"]) or pd.isna(base["file_bytes"]) or not row["file_bytes"]:
        return "with an unknown size"
    ratio = base["file_bytes"] / row["file_bytes"]
    if abs(ratio - 1) < EQUAL_SIZE:
        return "at the same size"
    return f"{numbers.ratio(ratio, better='smaller', worse='larger')}"


def accuracy_words(row: pd.Series) -> str:
    """What happened to accuracy, in a clause that starts with a comma or `and`."""
    if pd.isna(row["accuracy"]):
        return ""
    if row["accuracy_kind"] == "agreement":
        samples = f"{int(row['accuracy_samples']):,} samples"
        return f", and agrees with the original on {numbers.percent(row['accuracy'])} of {samples}"
    low, high = row["accuracy_difference_low"], row["accuracy_difference_high"]
    if pd.notna(low) and pd.notna(high) and low <= 0 <= high:
        return ", with no difference in accuracy"
    if pd.notna(row["accuracy_difference"]):
        return f", and accuracy changes by {numbers.points(row['accuracy_difference'])}"
    return f", at {numbers.percent(row['accuracy'])} accuracy"


def cards(frame: pd.DataFrame, constraints: Constraints | None = None) -> list[Card]:
    """Fastest, smallest, most accurate and best balance, in this order, at one batch size."""
    able, base = candidates(frame, constraints), baseline_row(frame)
    return [
        card(
            "Fastest",
            ":material/speed:",
            fastest(able),
            base,
            "latency",
            "The lowest median latency; of equal ones, the most accurate.",
        ),
        card("Smallest", ":material/compress:", smallest(able), base, "size", "The smallest file on disk."),
        faithful(frame, able, base),
        card(
            "Best balance",
            ":material/balance:",
            balanced(able, base),
            base,
            "balance",
            "The best product of speed-up and shrinkage that loses at most one point of accuracy.",
        ),
    ]


def faithful(frame: pd.DataFrame, able: pd.DataFrame, base: pd.Series | None) -> Card:
    """The card of accuracy, of agreement without labels, or of the outputs' error without a data set."""
    icon, closest = ":material/target:", "Closest to the original"
    if frame["accuracy"].isna().all() and frame["relative_l2"].notna().any():
        others = able[~able["baseline"].astype(bool)]
        return card(closest, icon, least_error(others), base, "error", "The smallest relative error of the outputs.")
    if (frame["accuracy_kind"] == "agreement").any():
        said = "The highest agreement with the original."
        return card(closest, icon, most_accurate(able), base, "accuracy", said)
    said = "The highest accuracy on your labelled data."
    return card("Most accurate", icon, most_accurate(able), base, "accuracy", said)


def card(title: str, icon: str, row: pd.Series | None, base: pd.Series | None, kind: str, help: str) -> Card:
    """One card; without a winner it says so."""
    if row is None:
        return Card(title, icon, "", "None yet", numbers.DASH, "Nothing qualifies", "", help)
    figure = {
        "latency": numbers.duration(row["latency_ms"]),
        "size": numbers.size(row["file_bytes"]),
        "accuracy": numbers.percent(row["accuracy"]),
        "error": numbers.error(row["relative_l2"]),
        "balance": numbers.duration(row["latency_ms"]),
    }[kind]
    same = base is not None and row["variant"] == base["variant"]
    compared = "the baseline itself" if same else compare(row, base, kind)
    if kind == "balance":
        compared = f"{numbers.size(row['file_bytes'])}, {compared}"
    return Card(title, icon, str(row["variant"]), str(row["label"]), figure, compared, caveat(row, kind), help)


def compare(row: pd.Series, base: pd.Series | None, kind: str) -> str:
    """The figure's ratio or difference to the baseline, in words."""
    if base is None:
        return ""
    speed = numbers.ratio(row["speedup"], row["speedup_low"], row["speedup_high"], different=row["different"])
    brief = numbers.ratio(row["speedup"], different=row["different"])
    if uncertain(row) and speed not in ("", "the same"):
        speed = brief = roughly(row)
    shaky = ", unstable" if row["unstable"] and speed else ""
    if kind == "latency":
        return speed + shaky
    if kind == "size":
        return size_words(row, base)
    if kind == "error":
        return f"relative error of the outputs, {speed}{shaky}" if speed else "relative error of the outputs"
    if kind == "accuracy":
        return accuracy_words(row).removeprefix(", ").removeprefix("and ").removeprefix("with ")
    return f"{brief}{shaky}, {size_words(row, base)}"


def caveat(row: pd.Series, kind: str) -> str:
    """What weakens this number, to stand beside it."""
    if kind == "accuracy":
        return "" if pd.isna(row["accuracy_samples"]) else f"of {int(row['accuracy_samples']):,} samples"
    notes = []
    if kind not in ("size", "error"):
        if pd.notna(row["rounds"]) and row["rounds"] <= 1:
            notes.append("one round, no interval")
        if row["unstable"]:
            reason = str(row["unstable"]).rstrip(".")
            notes.append(f"unstable: {reason[:1].lower()}{reason[1:]}")
    if row["evidence"] == "random":
        notes.append("outputs checked on random inputs only")
    return ", ".join(notes)
