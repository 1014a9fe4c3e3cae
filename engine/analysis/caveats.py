"""What has to be said beside a headline: what is missing, unstable, or was set aside."""

from __future__ import annotations

import pandas as pd

LARGE = 2.5  # a ratio that the unsteadiness of a machine can't make


def waiting(frame: pd.DataFrame) -> str:
    """How many variants are still to be measured, or nothing."""
    number = int(frame["status"].isin(["queued", "running"]).sum()) if len(frame) else 0
    if not number:
        return ""
    return "1 variant is still to be measured" if number == 1 else f"{number} variants are still to be measured"


def one_round(frame: pd.DataFrame) -> str:
    """The caveat of a single round."""
    return " Measured in one round, so there is no interval." if (frame["rounds"].dropna() <= 1).all() else ""


def repeat(row: pd.Series) -> str:
    """What to do about a winner whose timings were not stable."""
    if not uncertain(row):
        return ""
    return " The machine did not hold still: measure again with more rounds to know by how much."


def uncertain(row: pd.Series) -> bool:
    """Whether a ratio says little: unstable timings, and no interval that would show by how much."""
    return bool(row["unstable"]) and pd.isna(row["speedup_low"])


def roughly(row: pd.Series) -> str:
    """The gain where it is uncertain: `about 12× faster`, and without a number where it is small."""
    word = "faster" if row["speedup"] > 1 else "slower"
    ratio = max(row["speedup"], 1 / row["speedup"])
    return f"about {ratio:.0f}× {word}" if ratio >= LARGE else word


def set_aside(frame: pd.DataFrame) -> str:
    """What was not allowed to win."""
    groups = (
        ("suspect", ("suspect",)),
        ("failed", ("failed", "oom", "timeout", "crashed")),
        ("not supported here", ("unsupported",)),
    )
    counts = [(int(frame["status"].isin(statuses).sum()), word) for word, statuses in groups]
    parts = [f"{number} {word}" for number, word in counts if number]
    return f" Set aside: {', '.join(parts)}." if parts else ""
