"""The interval covers what it claims, and words claim no more than the interval."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats

from experiments.results import Predictions, RowStamp
from experiments.statistics import Comparison, Endpoint, VariantKey, compare, crossed_variance, paired_difference
from experiments.statistics.simulate import World

STAMP = RowStamp("glyphs", "glyphs", "baseline", "as_described", "whole", 0, 100, "teacher", "c0ffee")


def simulate(
    rng: np.random.Generator, num_seeds: int, num_clips: int, seed_sd: float, effect: float
) -> tuple[np.ndarray, np.ndarray]:
    """Correctness of two variants whose accuracies differ by ``effect`` over all seeds and clips."""
    found = World(num_seeds, num_clips, seed_sd, effect).results(rng, 1)[0]
    return found[0], found[1]


def test_a_large_effect_is_found_and_none_is_not() -> None:
    rng = np.random.default_rng(0)
    assert paired_difference(*simulate(rng, 3, 1000, 0.01, 0.2)).significant
    assert not paired_difference(*simulate(rng, 3, 1000, 0.01, 0.0)).significant


def test_the_variance_of_a_table_done_by_hand() -> None:
    d = np.array([[1.0, 0.0, 2.0], [3.0, 1.0, 2.0]])
    # Means: rows 1, 2; columns 2, .5, 2; all 1.5. Residuals: +-.5, 0, +-.5.
    ms_seed, ms_clip, ms_residual = 3 * 0.5, 2 * 0.75, 1.0 / 2
    assert crossed_variance(d) == pytest.approx((ms_seed + ms_clip - ms_residual) / 6)
    found = paired_difference(d, np.zeros_like(d))
    half = stats.t.ppf(0.975, 1) * ((ms_seed + ms_clip - ms_residual) / 6) ** 0.5
    assert (found.low, found.high) == (pytest.approx(1.5 - half), pytest.approx(1.5 + half))
    assert found.per_seed == (1.0, 2.0)
    assert found.seed_sd == pytest.approx(0.5**0.5)
    assert found.p_value == pytest.approx(2 * stats.t.sf(1.5 / (half / stats.t.ppf(0.975, 1)), 1))


def test_tables_are_stacked() -> None:
    rng = np.random.default_rng(3)
    tables = rng.normal(size=(4, 2, 3, 50))
    one_by_one = [[float(crossed_variance(table)) for table in row] for row in tables]
    assert crossed_variance(tables) == pytest.approx(np.array(one_by_one))


def test_the_p_value_and_the_interval_agree() -> None:
    for seed in range(20):
        found = paired_difference(*simulate(np.random.default_rng(seed), 4, 200, 0.02, 0.08))
        assert found.p_value is not None and found.significant == (found.p_value < 0.05)


def test_no_spread_at_all() -> None:
    same = paired_difference(np.ones((3, 4)), np.ones((3, 4)))
    assert (same.mean, same.low, same.high, same.p_value, same.mdd) == (0, 0, 0, 1, 0)
    assert not same.significant


def test_the_variance_has_a_floor() -> None:
    # Rows and columns agree by chance more than the residual allows: the plain estimate would be negative.
    d = np.array([[1.0, -1.0], [-1.0, 1.0]])
    assert crossed_variance(d) == 0
    d = np.array([[1.0, -1.0, 0.5], [-1.0, 1.0, 0.0]])
    means = d.mean(0)
    assert crossed_variance(d) == pytest.approx(2 * means.var(ddof=1) / 6)


def test_swapping_the_variants_swaps_the_interval() -> None:
    a, b = simulate(np.random.default_rng(1), 4, 200, 0.02, 0.1)
    one, other = paired_difference(a, b), paired_difference(b, a)
    assert one.low is not None and other.high is not None
    assert one.mean == pytest.approx(-other.mean)
    assert one.low == pytest.approx(-other.high)


def test_one_seed_has_no_interval_and_says_so() -> None:
    a, b = simulate(np.random.default_rng(1), 1, 500, 0.0, 0.3)
    found = paired_difference(a, b)
    assert found.low is None and found.high is None and found.seed_sd is None
    assert found.p_value is None and found.mdd is None and found.bootstrap_low is None
    assert not found.significant
    text = found.describe("ours", "theirs")
    assert "n=1 seed: no interval" in text
    assert "n = 1 seed x 500 clips" in text
    assert "new clips with this seed alone" in text
    assert "beats" not in text
    t = stats.ttest_1samp(a[0].astype(float) - b[0], 0).confidence_interval(0.95)
    assert (found.clip_low, found.clip_high) == (pytest.approx(t.low), pytest.approx(t.high))


def test_words_follow_the_interval() -> None:
    base = paired_difference(np.eye(3, 4), np.zeros((3, 4)))
    better = dataclasses.replace(base, mean=0.082, low=0.031, high=0.133, num_clips=1024)
    assert better.describe("a", "b") == "a beats b by 8.2 points [3.1, 13.3], n = 3 seeds x 1024 clips"
    worse = dataclasses.replace(base, mean=-0.082, low=-0.133, high=-0.031, num_clips=1024)
    assert worse.describe("a", "b") == "b beats a by 8.2 points [3.1, 13.3], n = 3 seeds x 1024 clips"
    unclear = dataclasses.replace(base, mean=0.01, low=-0.03, high=0.05, num_clips=1024)
    assert unclear.describe("a", "b") == "a - b: +1.0 points [-3.0, +5.0], n = 3 seeds x 1024 clips: not significant"


def test_words_of_a_log_ratio_and_of_a_family() -> None:
    base = paired_difference(np.eye(3, 4), np.zeros((3, 4)), unit="nats")
    better = dataclasses.replace(base, mean=0.412, low=0.1, high=0.724, num_clips=512)
    assert better.describe("a", "b") == "a beats b by 0.41 nats [0.10, 0.72], n = 3 seeds x 512 clips"
    endpoint = Endpoint("SSI", "glyphs", "within_level", "nats", "primary")
    keys = VariantKey("ld", "as_described"), VariantKey("baseline", "as_described")
    corrected = Comparison(*keys, endpoint, better, 0.012, True)
    assert corrected.describe("a", "b") == f"{better.describe('a', 'b')}, Holm-corrected p = 0.012"
    lost = dataclasses.replace(corrected, p_holm=0.31, significant=False)
    assert lost.describe("a", "b") == (
        "a - b: +0.41 nats [+0.10, +0.72], n = 3 seeds x 512 clips: not significant (Holm-corrected p = 0.310)"
    )
    described = dataclasses.replace(corrected, p_holm=None, significant=False)
    assert described.describe("a", "b").endswith("described only, not corrected; the interval excludes zero")


def test_unequal_tables_are_refused() -> None:
    for a, b in ((np.zeros((2, 3)), np.zeros((2, 4))), (np.zeros(3), np.zeros(3)), (np.zeros((2, 1)),) * 2):
        with pytest.raises(ValueError, match=r"seeds, clips"):
            paired_difference(a, b)


def block(seed: int, correct: list[int], ids: str = "abc", variant: str = "baseline") -> Predictions:
    return Predictions(
        stamp=dataclasses.replace(STAMP, seed=seed, variant=variant),
        benchmark="glyphs/motion",
        probe="linear_time",
        subspace="whole",
        corruption="none",
        severity=0,
        index=np.arange(3),
        video_ids=tuple(ids),
        labels=np.ones(3, np.int64),
        predictions=np.array(correct),
        log_probs=np.zeros(3, np.float32),
    )


def test_predictions_are_paired_by_seed_and_clip() -> None:
    ours = [block(2, [1, 1, 1]), block(1, [1, 0, 1]), block(9, [0, 0, 0])]
    theirs = [block(1, [0, 0, 1]), block(2, [0, 1, 1])]
    found = compare(ours, theirs)
    assert found.num_seeds == 2
    assert found.per_seed == pytest.approx((1 / 3, 1 / 3))


def test_predictions_that_do_not_pair_are_refused() -> None:
    with pytest.raises(ValueError, match=r"no shared seed"):
        compare([block(1, [1, 1, 1])], [block(2, [1, 1, 1])])
    with pytest.raises(ValueError, match=r"occurs twice"):
        compare([block(1, [1, 1, 1])] * 2, [block(1, [1, 1, 1])])
    with pytest.raises(ValueError, match=r"judged on other clips"):
        compare([block(1, [1, 1, 1])], [block(1, [1, 1, 1], ids="abd")])
