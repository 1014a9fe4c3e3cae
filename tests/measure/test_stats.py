"""Statistics with known answers."""

from __future__ import annotations

import numpy as np
import pytest

from engine import stats
from engine.measurement import Latency


def normal(median: float, count: int, seed: int, scale: float = 0.02) -> np.ndarray:
    return median * (1.0 + scale * np.random.default_rng(seed).standard_normal(count))


def test_headline_is_the_median_of_the_rounds_medians() -> None:
    rounds = [np.array([1.0, 1.0, 9.0]), np.array([2.0, 2.0, 2.0]), np.array([5.0, 5.0, 5.0, 5.0, 5.0])]
    assert stats.median_of_medians(rounds) == 2.0


def test_one_round_has_no_interval_and_no_verdict() -> None:
    assert stats.interval([normal(1.0, 100, 0)]) is None
    found = stats.speedup([normal(1.0, 100, 0)], [[normal(2.0, 100, 1)]])
    assert (found.low, found.high, found.different) == (None, None, None)
    assert found.value == pytest.approx(2.0, rel=0.02)


@pytest.mark.parametrize("count", [20, 21])
def test_drawn_medians_follow_a_real_bootstrap(count: int) -> None:
    samples = np.random.default_rng(3).exponential(size=count)
    generator = np.random.default_rng(0)
    resampled = np.median(generator.choice(samples, (20000, count)), axis=1)
    drawn = stats.bootstrap_medians([samples], np.zeros(20000, dtype=np.int64), generator)
    for percent in (5, 25, 50, 75, 95):
        assert np.percentile(drawn, percent) == pytest.approx(np.percentile(resampled, percent), abs=0.05)


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    hits = 0
    for seed in range(200):
        generator = np.random.default_rng(seed)
        rounds = [normal(1.0 + 0.03 * generator.standard_normal(), 50, 1000 * seed + k) for k in range(5)]
        low, high = stats.interval(rounds, seed) or (0.0, 0.0)
        hits += low <= 1.0 <= high
    assert 0.88 <= hits / 200 <= 1.0


def test_the_same_seed_gives_the_same_interval() -> None:
    rounds = [normal(1.0, 50, k) for k in range(5)]
    assert stats.interval(rounds, 7) == stats.interval(rounds, 7) != stats.interval(rounds, 8)


def test_speedup_is_taken_within_each_round() -> None:
    """Rounds of very different speed, each twice as fast as its own baseline."""
    levels = [1.0, 3.0, 9.0, 2.0, 5.0]
    rounds = [normal(level, 60, k) for k, level in enumerate(levels)]
    baselines = [[normal(2 * level, 60, 50 + k), normal(2 * level, 60, 90 + k)] for k, level in enumerate(levels)]
    found = stats.speedup(rounds, baselines, against="eager")
    assert found.low is not None
    assert found.high is not None
    assert 1.95 < found.low <= found.value <= found.high < 2.05
    assert found.different is True


def test_equal_variants_make_no_difference() -> None:
    found = stats.speedup([normal(1.0, 60, k) for k in range(5)], [[normal(1.0, 60, 40 + k)] for k in range(5)])
    assert found.different is False


def test_a_steady_drift_of_the_baseline_cancels_out() -> None:
    found = stats.speedup([np.full(30, 1.0)], [[np.full(30, 1.9), np.full(30, 2.1)]])
    assert found.value == pytest.approx(2.0)


@pytest.mark.parametrize(("count", "p90", "p99"), [(63, False, False), (64, True, False), (662, True, True)])
def test_percentiles_need_samples(count: int, p90: bool, p99: bool) -> None:
    latency = Latency(tuple(range(1_000_000, 1_000_000 + count)), count=count)
    summary = stats.summarize([latency])
    assert summary is not None
    assert (summary.p90 is not None, summary.p99 is not None) == (p90, p99)


def test_summary_is_in_milliseconds_and_counts_every_call() -> None:
    rounds = [Latency((2_000_000,) * 40, (500_000,) * 40, count=4000), Latency((4_000_000,) * 40, (), count=40)]
    summary = stats.summarize(rounds)
    assert summary is not None
    assert (summary.p50, summary.count, summary.rounds, summary.enqueue) == (3.0, 4040, 2, 0.5)


def test_no_samples_give_no_summary() -> None:
    assert stats.summarize([Latency(())]) is None


def test_variation_ignores_an_outlier_and_sees_noise() -> None:
    calm = np.concatenate([np.linspace(0.99, 1.01, 99), [50.0]])
    assert stats.variation([calm]) == pytest.approx(1.4826 * 0.005, rel=0.1)
    assert stats.unstable([calm], "cuda:0") == ""
    assert "vary by" in stats.unstable([normal(1.0, 300, 0, scale=0.05)], "cuda:0")
    assert stats.unstable([normal(1.0, 300, 0, scale=0.05)], "cpu") == ""


def test_a_drifting_baseline_is_unstable() -> None:
    drift = [(np.full(9, 1.0), np.full(9, 1.05))]
    assert "drifted by 5.0%" in stats.unstable([np.ones(30)], "cuda:0", drift)
    assert stats.unstable([np.ones(30)], "cpu", drift) == ""


def test_a_median_that_moves_between_rounds_is_unstable() -> None:
    rounds = [np.full(30, 1.0), np.full(30, 1.0), np.full(30, 1.06)]
    assert "moved by 6.0% between rounds" in stats.unstable(rounds, "cuda:0")
    assert stats.unstable(rounds, "cpu") == ""


def test_wilson_matches_published_values() -> None:
    """81 of 263: Newcombe (1998), table I."""
    assert stats.wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert stats.wilson(0, 20)[0] == 0.0
    assert stats.wilson(0, 0) == (0.0, 1.0)


def test_paired_difference_counts_only_changed_samples() -> None:
    theirs = np.array([True] * 90 + [False] * 10)
    mine = theirs.copy()
    mine[:4] = False
    mine[90:96] = True
    found = stats.paired_difference(mine, theirs)
    assert found.value == pytest.approx(0.02)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.02 < found.high
    assert stats.paired_difference(theirs, theirs).value == 0.0


def test_flags_and_samples_survive_packing() -> None:
    flags = np.random.default_rng(0).random(1001) < 0.3
    assert np.array_equal(stats.decode_flags(stats.encode_flags(flags), 1001), flags)
    samples = [5, 2_000_000_000, 7]
    assert stats.unpack(stats.pack(samples)).tolist() == samples
    assert stats.unpack(stats.pack([3_000_000_000])).tolist() == [3_000_000_000]
    assert stats.unpack(stats.pack([])).tolist() == []


def test_thinning_keeps_order_ends_and_at_most_two_thousand() -> None:
    thinned = stats.thin(list(range(10_001)))
    assert len(thinned) == 2000
    assert (thinned[0], thinned[-1]) == (0, 10_000)
    assert np.all(np.diff(thinned) > 0)


def test_a_baseline_that_was_disturbed_makes_no_speedup() -> None:
    """First slot slowed down fourfold by something else: the variant is as fast as the baseline."""
    found = stats.speedup([np.full(30, 1.0)] * 3, [[np.full(30, 4.0), np.full(30, 1.0)]] * 3)
    assert found.value == 1.0
    assert found.different is False
