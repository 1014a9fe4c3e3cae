"""Numbers as people read them."""

from __future__ import annotations

import math

import pytest

from engine.analysis import numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.4012, "0.401"),
        (12.36, "12.4"),
        (1234.5, "1,230"),
        (0, "0"),
        (0.9996, "1.00"),
        (99.96, "100"),
        (-3.14159, "-3.14"),
    ],
)
def test_three_significant_digits(value: float, text: str) -> None:
    assert numbers.significant(value) == text


def test_units_follow_the_size_of_the_number() -> None:
    assert numbers.duration(0.401) == "0.401 ms"
    assert numbers.duration(1500) == "1.50 s"
    assert numbers.duration(0.0012) == "0.00120 ms"
    assert numbers.size(107_000) == "107 KB"
    assert numbers.size(51_800_000) == "51.8 MB"
    assert numbers.rate(2740) == "2,740 samples/s"
    assert numbers.count(25_557_032) == "25.6 million"
    assert numbers.clock(125) == "2 min 5 s"


def test_an_absent_figure_is_a_dash_never_a_zero() -> None:
    assert {f(None) for f in (numbers.duration, numbers.size, numbers.rate, numbers.percent)} == {numbers.DASH}
    assert numbers.duration(math.nan) == numbers.DASH


def test_ratios_are_words_with_an_interval() -> None:
    assert numbers.ratio(8.41, 8.12, 8.7) == "8.41× faster (8.12–8.70)"
    assert numbers.ratio(0.5, 0.4, 0.8) == "2.00× slower (1.25–2.50)"
    assert numbers.ratio(1.05, 0.98, 1.1, different=False) == "no difference"
    assert numbers.ratio(1.31) == "1.31× faster"
    assert numbers.ratio(1.001) == "the same"
    assert numbers.ratio(math.nan) == ""


def test_differences_are_in_points() -> None:
    assert numbers.points(-0.0123) == "-1.23 points"
    assert numbers.points(0.00001) == "±0 points"


@pytest.mark.parametrize(("value", "written"), [(2740.4, "2,740/s"), (113_400.0, "113k/s"), (1_281_000.0, "1.28M/s")])
def test_a_high_throughput_is_short_beside_its_bar(value: float, written: str) -> None:
    assert numbers.short_rate(value) == written
    assert numbers.short_rate(None) == numbers.DASH
