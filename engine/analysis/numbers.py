"""Numbers as people read them: three significant digits, a unit, and a ratio with its interval."""

from __future__ import annotations

import math

DASH = "–"


def significant(value: float, digits: int = 3) -> str:
    """Write a number with `digits` significant digits, without an exponent: 0.401, 12.4, 1,230."""
    if not math.isfinite(value):
        return str(value)
    if value == 0:
        return "0"
    places = digits - 1 - math.floor(math.log10(abs(value)))
    rounded = round(value, places)
    if rounded and math.floor(math.log10(abs(rounded))) > math.floor(math.log10(abs(value))):
        places -= 1
    return f"{rounded:,.{max(0, places)}f}"


def known(value: float | None) -> bool:
    """Whether there is a figure at all: not None and not NaN."""
    return value is not None and not math.isnan(value)


def duration(milliseconds: float | None) -> str:
    """Write a time in ms, s or min, whichever reads best."""
    if milliseconds is None or not known(milliseconds):
        return DASH
    if abs(milliseconds) >= 120_000:
        return f"{significant(milliseconds / 60_000)} min"
    if abs(milliseconds) >= 1000:
        return f"{significant(milliseconds / 1000)} s"
    return f"{significant(milliseconds)} ms"


def clock(value: float | None) -> str:
    """Write how long something takes or took, as people say it: 18 s, 2 min 5 s, 1 h 10 min."""
    if value is None or not known(value):
        return DASH
    whole = round(value)
    if whole < 1:
        return "under 1 s"
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def remaining(value: float) -> str:
    """Write how long something will still take."""
    return f"about {clock(value)} left" if value >= 1 else "a moment left"


def seconds(value: float | None) -> str:
    """Write a time given in seconds."""
    return duration(value * 1000) if value is not None else DASH


def size(count: float | None) -> str:
    """Write bytes as KB, MB or GB (powers of 1,000)."""
    if count is None or not known(count):
        return DASH
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if abs(count) >= factor:
            return f"{significant(count / factor)} {unit}"
    return f"{int(count)} bytes"


def energy(joules: float | None) -> str:
    """Energy in J, mJ or µJ."""
    if not known(joules) or joules is None:
        return DASH
    for factor, unit in ((1.0, "J"), (1e3, "mJ")):
        if joules * factor >= 1:
            return f"{significant(joules * factor)} {unit}"
    return f"{significant(joules * 1e6)} µJ"


def power(watts: float | None) -> str:
    """Power in W."""
    return f"{significant(watts)} W" if known(watts) and watts is not None else DASH


def rate(value: float | None) -> str:
    """Write a throughput."""
    return f"{significant(value)} samples/s" if value is not None and known(value) else DASH


def short_rate(value: float | None) -> str:
    """Write a throughput where the axis says what of and room is scarce: 2,740/s, 113k/s, 1.28M/s."""
    if value is None or not known(value):
        return DASH
    scale, unit = (1e6, "M") if value >= 1e6 else (1e3, "k") if value >= 1e5 else (1.0, "")
    return f"{significant(value / scale)}{unit}/s"


def percent(fraction: float | None, digits: int = 3) -> str:
    """Write a fraction as a percentage; say of what beside it."""
    if fraction is None or not known(fraction):
        return DASH
    if fraction in (0.0, 1.0):
        return f"{fraction:.0%}"
    return f"{significant(100 * fraction, digits)} %".replace(" %", "%")


def error(value: float | None) -> str:
    """Write a relative error: `3.5e-03`; without any it is `exact`."""
    if value is None or not known(value):
        return DASH
    return f"{value:.1e}" if value else "exact"


def points(difference: float) -> str:
    """Write a difference of two fractions in percentage points, with its sign."""
    value = 100 * difference
    return "±0 points" if abs(value) < 0.005 else f"{value:+.2f} points"


def count(value: float | None) -> str:
    """Write a large count: 25.6 million, 310 thousand."""
    if value is None or not known(value):
        return DASH
    for word, factor in (("billion", 1e9), ("million", 1e6), ("thousand", 1e4)):
        if abs(value) >= factor:
            return f"{significant(value / (1e3 if word == 'thousand' else factor))} {word}"
    return f"{int(value):,}"


def ratio(
    value: float | None,
    low: float | None = None,
    high: float | None = None,
    *,
    better: str = "faster",
    worse: str = "slower",
    different: bool | None = None,
) -> str:
    """Write a ratio in words, with its interval: `8.41× faster (8.12–8.70)`.

    Above 1 is better. `different` False says "no difference"; without an interval nothing is
    claimed about certainty.
    """
    if value is None or not known(value) or value <= 0:
        return ""
    if different is not None and not different:
        return "no difference"
    if 0.995 < value < 1.005:
        return "the same"
    word = better if value > 1 else worse
    shown, first, last = (value, low, high) if value > 1 else (1 / value, inverse(high), inverse(low))
    interval = f" ({significant(first)}–{significant(last)})" if first and last and known(first) and known(last) else ""
    return f"{significant(shown)}× {word}{interval}"


def inverse(value: float | None) -> float | None:
    """One over a bound, or None where there is none."""
    return 1 / value if value and known(value) else None
