"""Holm's correction, power, and the bootstrap, each against what can be worked out."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from experiments.statistics import bootstrap_interval, holm, minimal_difference, power
from experiments.statistics.bootstrap import resampled_means


def test_holm_done_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    # Equal ones come out equal, none is lower than a smaller one, none is above 1.
    assert holm([0.02, 0.02, 0.9, 0.6]) == pytest.approx([0.08, 0.08, 1, 1])
    assert holm([0.2]) == pytest.approx([0.2]) and holm([]).shape == (0,)
    stacked = holm([[0.01, 0.04], [0.5, 0.001]])
    assert stacked == pytest.approx(np.array([[0.02, 0.04], [0.5, 0.002]]))


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_what_is_no_p_value_is_refused(p: float) -> None:
    with pytest.raises(ValueError, match="p-values"):
        holm([0.5, p])


@pytest.mark.parametrize(("df", "alpha", "delta"), [(2, 0.05, 5.0), (4, 0.01, 4.0), (9, 0.05, 2.5), (30, 0.001, 5.0)])
def test_power_is_that_of_the_noncentral_t(df: int, alpha: float, delta: float) -> None:
    threshold = stats.t.ppf(1 - alpha / 2, df)
    exact = stats.nct.sf(threshold, df, delta) + stats.nct.cdf(-threshold, df, delta)
    assert power(3 * delta, 3.0, df, alpha) == pytest.approx(exact, abs=2e-5)
    assert power(-delta, 1.0, df, alpha) == pytest.approx(exact, abs=2e-5)


def test_power_at_the_minimal_difference() -> None:
    for df, alpha in ((1, 0.05), (2, 0.05 / 36), (9, 0.05)):
        least = minimal_difference(0.7, df, alpha)
        assert power(least, 0.7, df, alpha) == pytest.approx(0.8, abs=1e-6)
        assert minimal_difference(0.7, df, alpha, 0.9) > least
    assert power(0, 1.0, 2) == pytest.approx(0.05, abs=1e-5)
    # With many seeds it is the familiar 1.96 + 0.84 standard errors.
    assert minimal_difference(1.0, 10_000, 0.05) == pytest.approx(2.802, abs=2e-3)


def test_the_bootstrap_of_a_table_without_seed_effect_is_that_of_its_clips() -> None:
    d = np.tile(np.random.default_rng(0).normal(size=300), (3, 1))
    low, high = bootstrap_interval(d, num_resamples=4000)
    half = 1.96 * d[0].std() / 300**0.5
    assert (low, high) == (pytest.approx(d.mean() - half, abs=0.01), pytest.approx(d.mean() + half, abs=0.01))


def test_the_bootstrap_of_a_table_without_clip_effect_is_that_of_its_seeds() -> None:
    d = np.repeat([[0.0], [1.0], [5.0]], 40, axis=1)
    means = resampled_means(d, 5000)
    values = {(a + b + c) / 3 for a in (0, 1, 5) for b in (0, 1, 5) for c in (0, 1, 5)}
    assert {round(value, 6) for value in means.tolist()} == {round(value, 6) for value in values}
    assert float((means < 0.01).mean()) == pytest.approx(1 / 27, abs=0.01)


def test_the_bootstrap_repeats_itself_and_leaves_the_generator_alone() -> None:
    d = np.random.default_rng(0).random((3, 50))
    before = str(np.random.get_state())
    assert bootstrap_interval(d) == bootstrap_interval(d.copy())
    assert str(np.random.get_state()) == before
