"""Statistics over rounds of samples: pure functions on arrays, seeded, NumPy only.

A *round* is one array of times (any unit) from one process. What several rounds say is judged by a
hierarchical bootstrap: rounds are drawn with replacement, then samples within each drawn round.
"""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Sequence

import numpy as np

from engine.document import Interval, LatencySummary, Speedup
from engine.measurement import Latency

RESAMPLES = 2000
KEPT_SAMPLES = 2000
P90_SAMPLES = 64
P99_SAMPLES = 662
WILD_DRIFT = 1.5
Z95 = 1.959963984540054

Round = np.ndarray
Rounds = Sequence[Round]


def median_of_medians(rounds: Rounds) -> float:
    """The headline figure: the median of the rounds' medians."""
    return float(np.median([np.median(each) for each in rounds]))


def bootstrap_medians(rounds: Rounds, picks: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The median of a bootstrap resample of each picked round, drawn directly; `picks` holds round numbers.

    A resample of n values has as its k-th smallest value the empirical quantile at a Beta(k, n+1-k)
    variate, so the median needs one draw (two where n is even) and not n.
    """
    counts = np.array([len(each) for each in rounds])
    ordered = np.zeros((len(rounds), counts.max()))
    for row, each in zip(ordered, rounds, strict=True):
        row[: len(each)] = np.sort(np.asarray(each, dtype=np.float64))
    n = counts[picks]
    k = (n + 1) // 2
    lower = generator.beta(k, n + 1 - k)
    values = ordered[picks, np.minimum((lower * n).astype(np.int64), n - 1)]
    upper = lower + (1.0 - lower) * generator.beta(1, np.maximum(n - k, 1))
    above = ordered[picks, np.minimum((upper * n).astype(np.int64), n - 1)]
    return np.asarray(np.where(n % 2 == 1, values, (values + above) / 2))


def interval(rounds: Rounds, seed: int = 0) -> tuple[float, float] | None:
    """The 95 % interval of the median of the rounds' medians; None with fewer than two rounds."""
    if len(rounds) < 2:
        return None
    generator = np.random.default_rng(seed)
    picks = generator.integers(0, len(rounds), (RESAMPLES, len(rounds)))
    medians = np.median(bootstrap_medians(rounds, picks, generator), axis=1)
    low, high = np.percentile(medians, [2.5, 97.5])
    return float(low), float(high)


def speedup(rounds: Rounds, baselines: Sequence[Rounds], *, against: str = "", seed: int = 0) -> Speedup:
    """How much faster `rounds` are than the baseline of the same round; above 1 is faster.

    `baselines[k]` holds what the baseline gave in the round of `rounds[k]`: one array, or two when
    it ran first and last, whose medians are averaged so that a steady drift cancels out; where they
    lie too far apart for that, the faster one counts. The figure is the median of the rounds' ratios.
    """
    baselines = [undisturbed(each) for each in baselines]
    ratios = [
        float(np.mean([np.median(each) for each in theirs]) / np.median(mine))
        for mine, theirs in zip(rounds, baselines, strict=True)
    ]
    value = float(np.median(ratios))
    if len(rounds) < 2:
        return Speedup(value, against=against)
    generator = np.random.default_rng(seed)
    picks = generator.integers(0, len(rounds), (RESAMPLES, len(rounds)))
    mine_drawn = bootstrap_medians(rounds, picks, generator)
    first = bootstrap_medians([each[0] for each in baselines], picks, generator)
    once = np.array([len(each) == 1 for each in baselines])
    last = first if once.all() else bootstrap_medians([each[-1] for each in baselines], picks, generator)
    alone = once[picks]
    theirs_drawn = np.where(alone, first, (first + last) / 2)
    low, high = (float(each) for each in np.percentile(np.median(theirs_drawn / mine_drawn, axis=1), [2.5, 97.5]))
    return Speedup(value, low, high, different=not low <= 1.0 <= high, against=against)


def undisturbed(slots: Rounds) -> Rounds:
    """What a baseline gave in one round, without the slower slot where something else slowed it down a lot.

    Other work on the machine only ever adds time, so the faster slot is the better witness, and the
    ratio made from it claims less.
    """
    medians = [float(np.median(each)) for each in slots]
    fastest = int(np.argmin(medians))
    return [slots[fastest]] if max(medians) > WILD_DRIFT * medians[fastest] else slots


def percentile(rounds: Rounds, percent: float, needed: int) -> float | None:
    """A percentile of the pooled samples; None when there are fewer than `needed`."""
    pooled = np.concatenate([np.asarray(each) for each in rounds])
    return float(np.percentile(pooled, percent)) if len(pooled) >= needed else None


def variation(rounds: Rounds) -> float | None:
    """The robust coefficient of variation of the pooled samples: 1.4826 × MAD / median."""
    pooled = np.concatenate([np.asarray(each, dtype=np.float64) for each in rounds])
    middle = float(np.median(pooled))
    if middle == 0.0:
        return None
    return float(1.4826 * np.median(np.abs(pooled - middle)) / middle)


def milliseconds(latency: Latency) -> np.ndarray:
    """One round's samples in milliseconds."""
    return np.asarray(latency.samples_ns, dtype=np.float64) / 1e6


def summarize(latencies: Sequence[Latency], seed: int = 0) -> LatencySummary | None:
    """One latency over all its rounds, in milliseconds; None when no round has samples."""
    kept = [each for each in latencies if each.samples_ns]
    if not kept:
        return None
    rounds = [milliseconds(each) for each in kept]
    bounds = interval(rounds, seed)
    enqueue = [np.asarray(each.enqueue_ns, dtype=np.float64) / 1e6 for each in kept if each.enqueue_ns]
    pooled = np.concatenate(rounds)
    return LatencySummary(
        p50=median_of_medians(rounds),
        low=bounds[0] if bounds else None,
        high=bounds[1] if bounds else None,
        p90=percentile(rounds, 90, P90_SAMPLES),
        p99=percentile(rounds, 99, P99_SAMPLES),
        count=sum(each.count or len(each.samples_ns) for each in kept),
        rounds=len(kept),
        mean=float(pooled.mean()),
        min=float(pooled.min()),
        variation=variation(rounds),
        enqueue=median_of_medians(enqueue) if enqueue else None,
    )


def unstable(rounds: Rounds, device: str, baselines: Sequence[tuple[Round, Round]] = ()) -> str:
    """Why a latency is unstable (MEASURING.md rule 7), or nothing.

    Calls that vary, a median that moves between rounds, or a baseline that drifts: `baselines` holds
    its samples, first and last, of each round.
    """
    on_gpu = device.startswith("cuda")
    reasons = []
    spread = variation(rounds)
    limit = 0.025 if on_gpu else 0.10
    if spread is not None and spread > limit:
        reasons.append(f"Calls vary by {spread:.1%} (limit {limit:.1%}).")
    limit = 0.03 if on_gpu else 0.10
    moved = movement(rounds)
    if moved > limit:
        reasons.append(f"The median moved by {moved:.1%} between rounds (limit {limit:.0%}).")
    drift = baseline_drift(baselines)
    if drift is not None and drift > limit:
        reasons.append(f"The baseline drifted by {drift:.1%} within a round (limit {limit:.0%}).")
    return " ".join(reasons)


def movement(rounds: Rounds) -> float:
    """The largest distance of a round's median from the median of all rounds, as a fraction."""
    medians = np.array([np.median(each) for each in rounds])
    return float(np.abs(medians / np.median(medians) - 1.0).max()) if len(medians) else 0.0


def baseline_drift(baselines: Sequence[tuple[Round, Round]]) -> float | None:
    """The largest change of the baseline's median from first to last in any round, as a fraction."""
    changes = [abs(float(np.median(last) / np.median(first)) - 1.0) for first, last in baselines]
    return max(changes, default=None)


def wilson(correct: int, samples: int) -> tuple[float, float]:
    """The 95 % Wilson score interval of a proportion (Wilson 1927)."""
    if samples == 0:
        return 0.0, 1.0
    share = correct / samples
    scale = 1.0 + Z95**2 / samples
    centre = (share + Z95**2 / (2 * samples)) / scale
    half = Z95 * math.sqrt(share * (1 - share) / samples + Z95**2 / (4 * samples**2)) / scale
    return max(0.0, centre - half), min(1.0, centre + half)


def paired_difference(mine: np.ndarray, theirs: np.ndarray) -> Interval:
    """The difference of two accuracies on the same samples, with its 95 % interval.

    Flags are boolean, one a sample; where one is shorter, the samples both have are compared. The
    interval is Wald's after adding half an observation to each cell (Agresti and Min 2005).
    """
    common = min(len(mine), len(theirs))
    gained = int(np.sum(mine[:common] & ~theirs[:common]))
    lost = int(np.sum(~mine[:common] & theirs[:common]))
    if common == 0:
        return Interval(0.0)
    n = common + 2
    b, c = gained + 0.5, lost + 0.5
    centre = (b - c) / n
    half = Z95 * math.sqrt((b + c) - (b - c) ** 2 / n) / n
    return Interval((gained - lost) / common, max(-1.0, centre - half), min(1.0, centre + half))


def encode_flags(flags: np.ndarray) -> str:
    """One bit a sample as compressed base64 text."""
    packed = np.packbits(np.asarray(flags, dtype=np.bool_)).tobytes()
    return base64.b64encode(zlib.compress(packed, 9)).decode("ascii")


def decode_flags(text: str, samples: int) -> np.ndarray:
    """The flags that `encode_flags` wrote."""
    packed = np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype=np.uint8)
    return np.unpackbits(packed, count=samples).astype(np.bool_)


def thin(samples: Sequence[int] | np.ndarray, limit: int = KEPT_SAMPLES) -> np.ndarray:
    """At most `limit` samples, evenly spread over the round, in their order."""
    values = np.asarray(samples, dtype=np.int64)
    if len(values) <= limit:
        return values
    return values[np.linspace(0, len(values) - 1, limit).round().astype(np.int64)]


def pack(samples: Sequence[int] | np.ndarray) -> bytes:
    """Nanoseconds as compressed bytes: int32, or int64 where a call took over two seconds."""
    values = np.asarray(samples, dtype=np.int64)
    width = "<i4" if len(values) == 0 or values.max() <= np.iinfo(np.int32).max else "<i8"
    return width[1:].encode() + zlib.compress(values.astype(width).tobytes(), 6)


def unpack(data: bytes) -> np.ndarray:
    """The nanoseconds that `pack` wrote."""
    return np.frombuffer(zlib.decompress(data[2:]), dtype="<" + data[:2].decode()).astype(np.int64)
