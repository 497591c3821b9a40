"""Rows by what they measure."""

from __future__ import annotations

import math

import pytest

from experiments.report.findings import PIXELS, RANDOM_INIT
from experiments.report.measures import Measure, collect_measures
from experiments.statistics import VariantKey
from vjepa.errors import UserError

BASELINE = VariantKey("baseline", "as_described")
TOP1 = Measure("glyphs/motion", "top1", "linear_time")


def test_values_are_kept_by_seed_and_averaged(make_row):
    found = collect_measures([make_row(seed=seed, value=value, n=10 - seed) for seed, value in enumerate((0.4, 0.6))])
    assert found.per_seed(BASELINE, TOP1) == {0: 0.4, 1: 0.6}
    assert found.mean(BASELINE, TOP1) == pytest.approx(0.5)
    assert found.num_clips[TOP1] == 9
    assert found.mean(BASELINE, Measure("glyphs", "rankme")) is None


def test_controls_are_named_for_what_they_are(make_row):
    rows = [make_row(weights="pixels"), make_row(weights="init", step=0), make_row(weights="init", variant="kinematic")]
    assert set(collect_measures(rows).keys) == {PIXELS, RANDOM_INIT, VariantKey("kinematic", "as_described")}


def test_the_last_step_and_the_test_split_count(make_row):
    rows = [make_row(value=0.2, step=1000), make_row(value=0.7), make_row(value=0.3, step=500)]
    rows += [make_row(value=0.9, split="val"), make_row(metric="os", value=math.nan)]
    found = collect_measures(rows)
    assert found.per_seed(BASELINE, TOP1) == {0: 0.7}
    assert found.having(lambda measure: measure.metric == "os") == []


def test_two_results_of_one_run_are_refused(make_row):
    with pytest.raises(UserError, match=r"measured twice: 0.5000 and 0.6000"):
        collect_measures([make_row(), make_row(value=0.6)])
