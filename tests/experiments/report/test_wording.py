"""The first paragraph says what the intervals allow, and no more."""

from __future__ import annotations

import pytest

from experiments.report.scores import collect_scores
from experiments.report.wording import points, summary_sentence


def test_says_what_beats_what_with_interval_and_n(make_rows, make_comparisons):
    text = summary_sentence(collect_scores(make_rows()), make_comparisons())
    assert text.startswith("By the time-resolved linear probe, with n = 3 seeds and 1,000 test clips a task:")
    assert "baseline beats its random init on appearance (+7.4 [+4.4, +10.4]), motion (+23.8 [" in text
    assert "fwm_hw_ld does not differ significantly from baseline on appearance (\u22121.2 [\u22124.2, +1.8])" in text
    assert text.endswith("each with its 95 % interval.")


def test_a_loss_is_called_a_loss(make_rows, make_comparisons):
    text = summary_sentence(collect_scores(make_rows()), make_comparisons(), probe="attentive")
    assert "it falls below it on motion (\u221213.5 [\u221216.5, \u221210.5])" in text


def test_one_seed_claims_nothing(make_rows, make_comparisons):
    text = summary_sentence(collect_scores(make_rows(seeds=(0,))), make_comparisons(num_seeds=1))
    assert text.startswith("One seed: no interval, nothing is claimed.")
    assert "motion: pixels 20.0, random init 24.4, baseline 48.2" in text
    assert not any(word in text for word in ("beats", "falls", "[", "+"))


def test_without_comparisons_nothing_is_claimed(make_rows):
    text = summary_sentence(collect_scores(make_rows()), [])
    assert text.startswith("No difference was computed: nothing is claimed.")


@pytest.mark.parametrize(
    ("value", "text"), [(0.123, "+12.3"), (-0.0123, "\u22121.2"), (-0.0001, "+0.0"), (0.0, "+0.0")]
)
def test_points_are_signed_with_one_decimal(value, text):
    assert points(value) == text
