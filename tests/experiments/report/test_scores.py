"""Rows are indexed once, and what cannot stand in one table is refused."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from experiments.report.scores import Condition, Encoder, collect_scores
from vjepa.errors import UserError

BASELINE = Encoder("baseline", "as_described", "teacher")


def test_orders_encoders_and_probes(make_rows):
    rows = make_rows()
    scores = collect_scores(reversed(rows))
    assert [scores.title(encoder) for encoder in scores.encoders[:2]] == ["pixels", "random init"]
    assert scores.probes == ("linear_time", "attentive")
    assert scores.seeds == (0, 1, 2)


def test_a_run_of_which_the_initial_weights_are_evaluated_is_no_control(make_row):
    control = make_row(variant="random_init", reading="none", weights="init", step=0, value=0.2)
    named_after_its_run = make_row(variant="kinematic", reading="as_released", weights="init", step=0, value=0.2)
    run = make_row(variant="kinematic", reading="as_released", weights="init", step=500, value=0.3)
    for found in (control, named_after_its_run):
        scores = collect_scores([run, found])
        assert [scores.title(encoder) for encoder in scores.encoders] == ["random init", "kinematic (initial weights)"]
        assert [encoder.ignores_training for encoder in scores.encoders] == [False, True]
        assert [score.mean for score in scores.cells.values()] == [0.3, 0.2]
        assert list(scores.layouts.values()) == ["whole"]


def test_swept_variants_are_shown_with_their_settings(make_row):
    rows = [make_row(variant=f"ld@latent_dynamics.weight={weight}") for weight in (0.1, 0.3)]
    scores = collect_scores(rows)
    assert scores.title(scores.encoders[1]) == "ld latent_dynamics.weight=0.3"


def test_mean_and_spread_over_seeds(make_row):
    rows = [make_row(seed=seed, value=value) for seed, value in enumerate((0.4, 0.5, 0.6))]
    score = collect_scores(rows).get(BASELINE, "glyphs/motion", "linear_time")
    assert score.mean == pytest.approx(0.5)
    assert score.spread == pytest.approx(0.1)
    assert collect_scores(rows[:1]).get(BASELINE, "glyphs/motion", "linear_time").spread is None


def test_takes_the_test_split_and_the_last_step(make_row):
    rows = [make_row(value=0.7), make_row(value=0.2, step=1000), make_row(value=0.9, split="val", step=3000)]
    assert collect_scores(rows).get(BASELINE, "glyphs/motion", "linear_time").mean == 0.7


def test_lists_missing_and_undefined_cells(make_rows):
    rows = [
        replace(row, value=math.nan) if (row.variant, row.seed, row.metric) == ("fwm_hw_ld", 2, "top1") else row
        for row in make_rows()
        if not (row.weights == "pixels" and row.benchmark == "glyphs/order")
    ]
    missing = collect_scores(rows).missing()
    assert "pixels (pixels), order, attentive: 0 of 1 seeds" in missing
    assert "fwm_hw_ld (teacher), motion, linear_time: 2 of 3 seeds" in missing
    assert len(missing) == 2 + 6


def test_readings_get_names_of_their_own(make_row):
    scores = collect_scores([make_row(), make_row(reading="as_released")])
    assert [scores.title(encoder) for encoder in scores.encoders] == [
        "baseline, as described",
        "baseline, as released",
    ]


def test_conditions_are_kept_apart(make_rows):
    scores = collect_scores(make_rows(corruptions=("noise",)))
    clean = scores.get(BASELINE, "glyphs/motion", "linear_time")
    noisy = scores.get(BASELINE, "glyphs/motion", "linear_time", Condition("noise", 3))
    assert noisy.mean == pytest.approx(0.9 * clean.mean)


def test_refuses_mixed_protocols(make_row):
    rows = [make_row(), make_row(seed=1, protocol_hash="other")]
    with pytest.raises(UserError, match="mixes evaluation protocols other, p"):
        collect_scores(rows)


def test_refuses_contradicting_measurements(make_row):
    with pytest.raises(UserError, match=r"measured twice: 0\.5000 and 0\.6000"):
        collect_scores([make_row(), make_row(value=0.6)])
    assert collect_scores([make_row(), make_row()]).seeds == (0,)


def test_refuses_nothing(make_row):
    with pytest.raises(UserError, match="run the probes first"):
        collect_scores([make_row(split="val")])
