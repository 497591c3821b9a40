"""Corruption errors against a baseline, by hand."""

from __future__ import annotations

import math

import pytest

from vjepa.metrics import corruption_errors, mean_corruption_error, relative_mean_corruption_error

MODEL = {("noise", 1): 0.8, ("noise", 5): 0.6, ("fog", 1): 0.5}
BASELINE = {("noise", 1): 0.7, ("noise", 5): 0.5, ("fog", 1): 0.6}


def test_errors_are_summed_over_severities_before_the_ratio() -> None:
    errors = corruption_errors(MODEL, BASELINE)
    assert errors == pytest.approx({"noise": 0.6 / 0.8, "fog": 0.5 / 0.4})
    assert mean_corruption_error(MODEL, BASELINE) == pytest.approx((0.75 + 1.25) / 2)


def test_the_baseline_has_error_one() -> None:
    assert mean_corruption_error(BASELINE, BASELINE) == pytest.approx(1)
    assert relative_mean_corruption_error(BASELINE, 0.9, BASELINE, 0.9) == pytest.approx(1)


def test_relative_error_counts_the_degradation_only() -> None:
    # noise: (0.9 - 0.8) + (0.9 - 0.6) over (0.8 - 0.7) + (0.8 - 0.5); fog: 0.4 over 0.2.
    assert relative_mean_corruption_error(MODEL, 0.9, BASELINE, 0.8) == pytest.approx((1 + 2) / 2)


def test_no_error_of_the_baseline_is_nothing_to_relate_to() -> None:
    perfect = dict.fromkeys(MODEL, 1.0)
    assert all(math.isnan(each) for each in corruption_errors(MODEL, perfect).values())
    assert math.isnan(relative_mean_corruption_error(MODEL, 0.9, BASELINE, 0.6))


def test_other_conditions_are_refused() -> None:
    with pytest.raises(ValueError, match=r"they differ in \[\('fog', 1\)\]"):
        mean_corruption_error(MODEL, {key: value for key, value in BASELINE.items() if key[0] == "noise"})
    with pytest.raises(ValueError, match=r"at least one"):
        mean_corruption_error({}, {})
