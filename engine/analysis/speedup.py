"""Speed-ups against any variant the user calls the baseline, round by round."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from engine import stats
from engine.document import ComparisonDocument, Result, Speedup
from engine.frames import results


def compared(
    document: ComparisonDocument, latency: str, baseline: str = "", batch_size: int | None = None
) -> pd.DataFrame:
    """The results as `frames.results` gives them, with speed-ups against one variant.

    `baseline` is a variant's id; without one it is the comparison's own. Adds `speedup`,
    `speedup_low`, `speedup_high` and `different` (True, False, or None with a single round). With
    `batch_size` there are the rows of that one alone, which is all that a page shows.
    """
    own = document.baseline
    chosen = baseline or (own.id if own else "")
    document = replace(
        document, variants=tuple(replace(each, baseline=each.id == chosen) for each in document.variants)
    )
    frame = results(document, latency, batch_size)
    base = {each.batch_size: each for variant in document.variants if variant.baseline for each in variant.results}
    found: dict[tuple[str, int], Speedup | None] = {
        (variant.id, each.batch_size): speedup(
            each, base.get(each.batch_size), latency, own=own is not None and chosen == own.id
        )
        for variant in document.variants
        for each in variant.results
        if batch_size in (None, each.batch_size)
    }
    rows = [found.get((row.variant, row.batch_size)) for row in frame.itertuples()]
    frame["speedup"] = [each.value if each else np.nan for each in rows]
    frame["speedup_low"] = [each.low if each and each.low is not None else np.nan for each in rows]
    frame["speedup_high"] = [each.high if each and each.high is not None else np.nan for each in rows]
    frame["different"] = pd.Series([each.different if each else None for each in rows], index=frame.index, dtype=object)
    return frame.copy()  # all numbers in one block, from which rows are taken several times faster


def speedup(result: Result, base: Result | None, latency: str, *, own: bool = False) -> Speedup | None:
    """How much faster one result is than another at the same batch size, or None without figures.

    `own` says that the base is the comparison's own baseline, whose speed-ups the document may hold.
    With raw samples the ratio is taken within each round; a baseline that ran first and last in
    every round has twice as many rounds, which are paired up. Without them it is the ratio of the
    medians, and has no interval.
    """
    mine = result.latency_ms.get(latency)
    theirs = base.latency_ms.get(latency) if base else None
    if mine is None or theirs is None or base is None or not mine.p50:
        return None
    if result is base:
        return Speedup(1.0)
    if own and latency == "resident" and "baseline" in result.speedup:
        return result.speedup["baseline"]
    rounds, others = arrays(result, latency), arrays(base, latency)
    if rounds and len(others) == 2 * len(rounds):
        return stats.speedup(rounds, [others[2 * k : 2 * k + 2] for k in range(len(rounds))])
    if others and len(rounds) == 2 * len(others):
        rounds = [np.concatenate(rounds[2 * k : 2 * k + 2]) for k in range(len(others))]
    if rounds and len(others) == len(rounds):
        return stats.speedup(rounds, [[each] for each in others])
    return Speedup(theirs.p50 / mine.p50)


def arrays(result: Result, latency: str) -> list[np.ndarray]:
    """The raw samples of one latency, one array for each round that has some."""
    return [np.asarray(each, dtype=np.float64) for each in result.samples_ns.get(latency, ()) if len(each)]
