"""Differences, spreads and intervals of published results, against numbers worked out by hand."""

from __future__ import annotations

import dataclasses
import math

import pytest

from experiments.claims.figures import (
    MAIN_BENCHMARKS,
    Figure,
    change,
    count_right,
    find,
    methods,
    seed_noise,
    ties,
    wilson,
)
from experiments.published import PublishedResult

# Variant, regime, benchmark; minus the baseline that the study chose; minus the baseline of seed 239.
DIFFERENCES = [
    ("motion_guided", "ucf101", "diving48", 0.30, 0.30),
    ("motion_guided", "ucf101", "imagenet100", 0.14, 0.14),
    ("motion_guided", "ucf101", "ssv2", 1.38, 1.38),
    ("kinematic", "ucf101", "diving48", -2.80, -2.80),
    ("kinematic_split", "ucf101", "diving48", -2.90, -2.90),
    ("kinematic_accel", "ucf101", "imagenet100", 1.72, 1.72),
    ("kinematic_0_1", "ucf101", "synth_motion", 45.0, 45.0),
    ("fwm_hw_ld", "mixed", "imagenet100", 5.92, 9.52),
    ("fwm_hw_ld", "mixed", "ssv2", 3.21, 4.98),
    ("fwm_hw_ld", "mixed", "diving48", -0.30, None),
    ("ld", "mixed", "ssv2", 5.02, 6.79),
    ("ld", "mixed", "imagenet100", -2.06, 1.54),
    ("ld", "mixed", "diving48", -1.73, None),
    ("fwm", "mixed", "imagenet100", 1.88, 5.48),
    ("fwm", "mixed", "ssv2", -1.39, 0.38),
    ("fwm_ld", "mixed", "imagenet100", -10.14, -6.54),
    ("fac", "mixed", "imagenet100", -16.28, -12.68),
    ("ltc", "mixed", "imagenet100", -13.52, -9.92),
    ("ac", "mixed", "imagenet100", -13.16, -9.56),
]


def invented(right: int, clips: int) -> PublishedResult:
    some = find("ld", "mixed", "ssv2", 239)
    assert some is not None
    return dataclasses.replace(some, accuracy_percent=100 * right / clips, test_clips=clips)


@pytest.mark.parametrize(("variant", "regime", "benchmark", "chosen", "same_seed"), DIFFERENCES)
def test_differences(variant: str, regime: str, benchmark: str, chosen: float, same_seed: float | None) -> None:
    found = change(variant, regime, benchmark)
    assert found is not None
    assert found.chosen.difference == chosen
    assert (found.same_seed.difference if found.same_seed else None) == same_seed
    assert found.chosen.control.pretraining_seed == (42 if regime == "mixed" else 239)


def test_what_was_not_published_has_no_difference() -> None:
    assert change("motion_guided", "mixed", "diving48") is None
    assert change("kinematic", "ucf101", "ssv2") is None


def test_the_spread_of_two_seeds_is_all_that_is_known_of_seeds() -> None:
    images, order = seed_noise("mixed", "imagenet100"), seed_noise("mixed", "ssv2")
    assert images is not None and order is not None
    assert (images.spread, order.spread) == (3.60, 1.77)
    assert not images.borrowed and seed_noise("mixed", "diving48") is None
    borrowed = seed_noise("ucf101", "ssv2")
    assert borrowed is not None and borrowed.borrowed and borrowed.spread == 1.77
    # s = 3.60 / sqrt 2 = 2.546; chi-square quantiles with 1 degree of freedom 5.0239 and 0.000982; t 12.706.
    assert images.sd_interval == pytest.approx((2.546 / math.sqrt(5.0239), 2.546 / math.sqrt(0.000982)), rel=1e-3)
    assert images.half_width == pytest.approx(12.706 * 2.546 * math.sqrt(1.5), rel=1e-3)


def test_with_two_seeds_even_the_largest_gain_may_be_luck() -> None:
    gain = change("ld", "mixed", "ssv2")
    assert gain is not None and gain.noise is not None and gain.spreads is not None
    assert gain.spreads == pytest.approx(5.02 / 1.77)
    # One degree of freedom is the Cauchy distribution: p = 1 - 2 / pi * atan t.
    t = (13.41 - (8.39 + 6.62) / 2) / (1.77 / math.sqrt(2) * math.sqrt(1.5))
    assert gain.p_value == pytest.approx(1 - 2 / math.pi * math.atan(t))
    assert gain.p_value == pytest.approx(0.162, abs=0.001)
    guided = change("motion_guided", "ucf101", "ssv2")
    assert guided is not None
    assert guided.p_value == pytest.approx(1 - 2 / math.pi * math.atan(1.38 / 1.77))


def test_intervals_of_clips_are_those_of_the_literature() -> None:
    # Newcombe (1998): 81 of 263, and the difference of 56 of 70 and 48 of 80 by his method 10.
    assert wilson(invented(81, 263)) == pytest.approx((25.53, 36.62), abs=0.01)
    assert Figure(invented(56, 70), invented(48, 80)).clip_interval == pytest.approx((5.24, 33.39), abs=0.01)
    assert Figure(invented(56, 70), invented(48, 80)).beyond_clips
    assert not Figure(invented(50, 70), invented(48, 80)).beyond_clips


def test_budgets_are_compared() -> None:
    for benchmark, equal in (("imagenet100", True), ("ssv2", False), ("diving48", False)):
        found = change("fwm_hw_ld", "mixed", benchmark)
        assert found is not None and found.chosen.equal_budgets is equal


def test_four_encoders_have_as_many_clips_right() -> None:
    own = find("fwm_hw_ld", "mixed", "diving48", 239)
    assert own is not None and count_right(own) == 165
    assert {item.config for item in ties(own)} == {"mixed_4gpu_ac", "mixed_4gpu_fac", "ucf101_4gpu_baseline"}


def test_methods_are_those_with_all_results() -> None:
    assert len(methods("mixed")) == 14 and "motion_guided" not in methods("mixed")
    assert len(methods("mixed", ("imagenet100", "ssv2"))) == 15
    assert methods("ucf101", MAIN_BENCHMARKS) == ("kinematic_0_1", "kinematic_accel", "motion_guided")
