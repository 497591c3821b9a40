"""Accuracy under corruption, by hand."""

from __future__ import annotations

import dataclasses
import math
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from experiments.evaluation.analyses.classification import CleanAnswers, CorruptionRobustness
from experiments.evaluation.analyses.corruption_error import corruption_error_rows
from experiments.evaluation.conditions import CLEAN, Condition
from experiments.results import Row
from tests.experiments.evaluation.analyses.made import (
    COLOUR,
    DAMAGE,
    ORDER,
    STAMP,
    Probe,
    found,
    right_on,
    said,
    subject,
    table,
)
from vjepa.corruptions import PROFILES, Profile
from vjepa.errors import UserError

N = 200
LABELS = torch.arange(N) % 2
RIGHT: dict[Condition, range] = {
    CLEAN: range(180),
    ("gaussian_noise", 1): range(160),
    ("gaussian_noise", 3): range(140),
    ("fog", 1): range(20, 180),
    ("fog", 3): range(100),
    ("frame_freeze", 1): range(120),
    ("frame_freeze", 3): range(120),
    ("h264_crf", 1): range(200),
    ("h264_crf", 3): range(180),
    ("jumbling", 1): range(0),
    ("jumbling", 3): range(0),
}
MPC = {"spatial": (0.75 + 0.65) / 2, "temporal": 0.6, "codec": 0.95, "all": (0.75 + 0.65 + 0.6 + 0.95) / 4}


def seen(right: dict[Condition, range] = RIGHT) -> Any:
    answers = {condition: [said(right_on(LABELS, clips), 2)] for condition, clips in right.items()}
    return found(LABELS[:, None], answers=answers)


def rows_of(right: dict[Condition, range] = RIGHT, **stamp: Any) -> list[Row]:
    who = subject(stamp=dataclasses.replace(STAMP, **stamp))
    return list(CorruptionRobustness(DAMAGE).report(who, [Probe()], seen(right)).rows)


def test_every_condition_has_accuracy_calibration_and_ratios() -> None:
    rows = table(rows_of())
    for condition, clips in RIGHT.items():
        accuracy = len(clips) / N
        value = {metric: row.value for (metric, *where), row in rows.items() if tuple(where) == condition}
        assert value["top1"] == pytest.approx(accuracy)
        assert value["top5"] == 1
        assert value["log_loss"] == pytest.approx(-accuracy * math.log(0.8) - (1 - accuracy) * math.log(0.2))
        assert value["ece"] == pytest.approx(abs(accuracy - 0.8), abs=1e-6)
        assert value["constant_predictor"] == 0
        if condition != CLEAN:
            assert value["gamma_a"] == pytest.approx(1 - (0.9 - accuracy))
            assert value["gamma_r"] == pytest.approx(accuracy / 0.9)
    assert {row.n for row in rows.values()} == {N}


def test_clean_clips_have_every_guard() -> None:
    rows = {metric: row for (metric, *where), row in table(rows_of()).items() if tuple(where) == CLEAN}
    assert rows.keys() == {
        *("top1", "top5", "macro_accuracy", "log_loss", "ece", "majority_rate"),
        *("prediction_entropy", "top_prediction_share", "constant_predictor"),
    }
    assert rows["majority_rate"].value == 0.5
    assert rows["prediction_entropy"].value == pytest.approx(math.log(2))
    assert rows["top1"].protocol_hash == Probe().protocol.hash


def test_flips_count_changes_between_wrong_classes_too() -> None:
    labels = torch.tensor([0, 1, 2, 3] * 5)
    wrong = (labels + 1) % 4
    clean, fog = wrong.clone(), wrong.clone()
    clean[:10] = labels[:10]
    fog[:8] = labels[:8]  # two lost
    fog[10:14] = (labels[10:14] + 2) % 4  # four stay wrong and change
    fog[14] = labels[14]  # one gained
    profile = Profile("one", ("fog",), (1,))
    probe = Probe(num_classes=4)
    answers = {CLEAN: [said(clean, 4)], ("fog", 1): [said(fog, 4)]}
    report = CorruptionRobustness(profile).report(subject(), [probe], found(labels[:, None], (ORDER,), answers))
    rows = table(report.rows)
    assert rows["flip_rate", "fog", 1].value == pytest.approx(7 / 20)
    assert rows["flips_both_wrong", "fog", 1].value == pytest.approx(4 / 20)


def test_means_over_the_profile_leave_order_out() -> None:
    rows = table(rows_of(), corruption="damage")
    value = {metric: row.value for (metric, _, _), row in rows.items()}
    assert value == pytest.approx(
        {
            "mpc_damage": MPC["all"],
            **{f"mpc_{group}_damage": MPC[group] for group in ("spatial", "temporal", "codec")},
            "rpc_damage": MPC["all"] / 0.9,
            "rpc_corrected_damage": (MPC["all"] - 0.5) / (0.9 - 0.5),
        }
    )
    assert {row.severity for row in rows.values()} == {0}


def test_the_mean_relative_robustness_is_rpc() -> None:
    rows = table(rows_of())
    gammas = [rows["gamma_r", *condition].value for condition in DAMAGE.label_preserving]
    assert np.mean(gammas) == pytest.approx(rows["rpc_damage", "damage", 0].value)


def test_a_constant_predictor_is_flagged_and_has_no_ratio() -> None:
    zeros = {condition: [said(torch.zeros(N, dtype=torch.int64), 2)] for condition in RIGHT}
    skewed = torch.zeros(N, dtype=torch.int64)
    skewed[:20] = 1  # names the class of nine in ten
    report = CorruptionRobustness(DAMAGE).report(subject(), [Probe()], found(skewed[:, None], answers=zeros))
    rows = table(report.rows)
    assert rows["constant_predictor", "none", 0].value == 1
    assert rows["mpc_damage", "damage", 0].value == pytest.approx(0.9)
    for blank in ("rpc_damage", "rpc_corrected_damage"):
        assert math.isnan(rows[blank, "damage", 0].value)
    for blank in ("gamma_a", "gamma_r"):
        assert math.isnan(rows[blank, "fog", 1].value)


def test_a_clean_accuracy_near_the_majority_is_no_basis_for_a_ratio() -> None:
    rows = table(rows_of({**RIGHT, CLEAN: range(110)}))
    assert rows["rpc_damage", "damage", 0].value == pytest.approx(MPC["all"] / 0.55)
    assert math.isnan(rows["rpc_corrected_damage", "damage", 0].value)  # 0.05 is within three times 0.035


def test_order_probes_are_left_to_their_own_analysis() -> None:
    for name, profile in PROFILES.items():
        with pytest.warns() if profile.notes else nullcontext():
            shown = CorruptionRobustness(name).conditions
        assert set(profile.label_preserving) <= set(shown) <= set(profile.conditions)
        assert not {"local_shuffle", "reverse", "static"} & {corruption for corruption, _ in shown}


def test_only_labelled_clips_count_and_lost_ones_are_told() -> None:
    labels = torch.stack([LABELS[:20], torch.where(torch.arange(20) > 13, LABELS[:20], -1)], 1)
    smoke = PROFILES["smoke"]
    kept = torch.tensor([number for number in range(20) if number not in (1, 7, 15)])
    logits = [said(labels[kept, 0], 2), said(torch.ones(17, dtype=torch.int64), 4)]
    answers = dict.fromkeys((CLEAN, *smoke.conditions), logits)
    probes: Any = [Probe(), Probe(column=1, num_classes=4)]
    report = CorruptionRobustness("smoke").report(
        subject(), probes, found(labels, (COLOUR, ORDER), answers, excluded=[1, 7, 15])
    )
    assert {(row.n, row.excluded) for row in report.rows if row.benchmark == "made/appearance"} == {(17, 3)}
    assert {(row.n, row.excluded) for row in report.rows if row.benchmark == "made/order"} == {(5, 1)}
    block = next(item for item in report.predictions if item.benchmark == "made/order")
    assert block.index.tolist() == [14, 16, 17, 18, 19]
    assert block.video_ids == tuple(f"clip{number}" for number in block.index)
    assert block.labels.tolist() == [0, 0, 1, 0, 1] and block.correct.tolist() == [False, False, True, False, True]
    assert block.log_probs == pytest.approx(np.log([0.2 / 3, 0.2 / 3, 0.8, 0.2 / 3, 0.8]))


def test_a_task_that_applies_to_no_clip_is_passed_over() -> None:
    labels = torch.full((4, 1), -1)
    answers = {CLEAN: [torch.zeros(4, 2)]}
    assert not CleanAnswers().report(subject(), [Probe()], found(labels, answers=answers)).rows


def test_clean_answers_are_the_same_from_either_analysis() -> None:
    probes: Any = [Probe()]
    alone = CleanAnswers().report(subject(), probes, seen())
    both = CorruptionRobustness(DAMAGE).report(subject(), probes, seen())
    without = CorruptionRobustness(DAMAGE, clean=False).report(subject(), probes, seen())
    assert set(both.rows) == {*alone.rows, *without.rows} and not set(alone.rows) & set(without.rows)
    assert len(alone.predictions) == 1 and len(both.predictions) == len(RIGHT)


def test_options_are_part_of_identity_and_hash() -> None:
    plain, other = CorruptionRobustness("smoke"), CorruptionRobustness("smoke", options={"independent": True})
    assert plain.identity != other.identity
    rows = other.report(subject(), [Probe()], _smoke())
    assert plain.report(subject(), [Probe()], _smoke()).rows[0].protocol_hash != rows.rows[0].protocol_hash


def test_error_against_a_baseline() -> None:
    baseline = rows_of({**RIGHT, CLEAN: range(160), ("fog", 3): range(80)}, variant="baseline")
    rows = table(corruption_error_rows(rows_of(), baseline))
    # Errors summed over two severities: noise 0.5 of both; fog 0.7 and 0.8; freeze 0.8 of both; codec 0.1 of both.
    assert rows["ce", "fog", 0].value == pytest.approx(0.7 / 0.8)
    assert rows["mce_vs_baseline", "damage", 0].value == pytest.approx((1 + 0.7 / 0.8 + 1 + 1) / 4)
    # Less the clean errors 0.1 and 0.2, twice each; the codec lowers the baseline's error, which leaves no relation.
    assert math.isnan(rows["relative_mce_vs_baseline", "damage", 0].value)
    assert {row.variant for row in rows.values()} == {"fwm"}


def test_degradation_against_a_baseline() -> None:
    codec: dict[Condition, range] = {("h264_crf", 1): range(140), ("h264_crf", 3): range(140)}
    baseline = rows_of({**RIGHT, **codec, CLEAN: range(160), ("fog", 1): range(60)}, variant="baseline")
    rows = table(corruption_error_rows(rows_of({**RIGHT, **codec}), baseline))
    expected = (0.3 / 0.1 + 0.5 / 0.8 + 0.6 / 0.4 + 0.4 / 0.2) / 4
    assert rows["relative_mce_vs_baseline", "damage", 0].value == pytest.approx(expected)


def test_a_constant_predictor_does_not_degrade_less() -> None:
    constant = [dataclasses.replace(row, value=1.0) if row.metric == "constant_predictor" else row for row in rows_of()]
    codec: dict[Condition, range] = {("h264_crf", 1): range(140), ("h264_crf", 3): range(140)}
    baseline = rows_of({**RIGHT, **codec}, variant="baseline")
    for rows, sees in ((rows_of(), True), (constant, False)):
        relative = table(corruption_error_rows(rows, baseline))["relative_mce_vs_baseline", "damage", 0].value
        assert math.isfinite(relative) is sees


def test_a_baseline_compared_with_itself_is_one() -> None:
    values = {metric: row.value for (metric, _, _), row in table(corruption_error_rows(rows_of(), rows_of())).items()}
    assert values["mce_vs_baseline"] == 1


def test_seeds_are_paired_and_a_missing_one_is_left_out() -> None:
    baseline = [*rows_of(variant="baseline"), *rows_of(variant="baseline", seed=1)]
    rows = corruption_error_rows([*rows_of(seed=1), *rows_of(seed=2)], baseline)
    assert {row.seed for row in rows} == {1}


def test_a_baseline_that_cannot_be_compared() -> None:
    baseline = rows_of(variant="baseline")
    with pytest.raises(UserError, match="two encoders of seed 0"):
        corruption_error_rows(rows_of(), [*baseline, *rows_of(variant="other")])
    with pytest.raises(UserError, match="shares no benchmark"):
        corruption_error_rows(rows_of(seed=3), baseline)
    with pytest.raises(UserError, match="evaluate both alike"):
        corruption_error_rows(rows_of(), [dataclasses.replace(row, n=row.n - 1) for row in baseline])


@pytest.fixture(autouse=True)
def _the_profile_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROFILES, "damage", DAMAGE)


def _smoke() -> Any:
    logits: list[Tensor] = [said(LABELS, 2)]
    return found(LABELS[:, None], answers=dict.fromkeys((CLEAN, *PROFILES["smoke"].conditions), logits))
