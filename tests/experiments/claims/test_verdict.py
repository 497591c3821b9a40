"""The rules, case by case."""

from __future__ import annotations

import dataclasses

import pytest

from experiments.claims.verdict import RULES, Finding, Verdict, judge_claim, judge_statement

SOLID = Finding(published=True, true_of_chosen=True, true_of_same_seed=True, spreads=3.0)
HOLDS, ONLY, NOISE, CANNOT = Verdict.HOLDS, Verdict.ONLY_CHOSEN, Verdict.SEED_NOISE, Verdict.CANNOT_BE_CHECKED
ELSE, FALSE = Verdict.SOMETHING_ELSE, Verdict.DOES_NOT_HOLD


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, HOLDS),
        ({"true_of_same_seed": None}, HOLDS),
        ({"published": False}, CANNOT),
        ({"true_of_chosen": False, "true_of_same_seed": False}, FALSE),
        ({"true_of_chosen": False, "true_of_same_seed": False, "spreads": 0.1}, NOISE),
        ({"true_of_chosen": False, "true_of_same_seed": False, "beyond_clips": False}, NOISE),
        ({"true_of_same_seed": False}, ONLY),
        ({"true_of_same_seed": False, "spreads": 0.1}, ONLY),
        ({"true_of_same_seed": False, "equal_budgets": False}, ONLY),
        ({"equal_budgets": False}, CANNOT),
        ({"spreads": 1.0}, NOISE),
        ({"spreads": 1.01}, HOLDS),
        ({"beyond_clips": False}, NOISE),
        ({"beyond_clips": False, "spreads": None}, NOISE),
        ({"spreads": None}, CANNOT),
    ],
)
def test_a_statement(changed: dict[str, object], expected: Verdict) -> None:
    assert judge_statement(dataclasses.replace(SOLID, **changed)) is expected  # type: ignore[arg-type]


def test_a_wider_band_of_noise_takes_more() -> None:
    finding = dataclasses.replace(SOLID, spreads=1.5)
    assert judge_statement(finding) is HOLDS
    assert judge_statement(finding, spreads=2.0) is NOISE


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([HOLDS], HOLDS),
        ([HOLDS, CANNOT], CANNOT),
        ([CANNOT, NOISE], NOISE),
        ([NOISE, ONLY, HOLDS], ONLY),
        ([ONLY, FALSE], FALSE),
    ],
)
def test_a_claim_is_as_good_as_its_worst_statement(statements: list[Verdict], expected: Verdict) -> None:
    assert judge_claim(statements, published=True, objective_absent=False) is expected
    assert judge_claim(statements, published=True, objective_absent=True) is ELSE
    assert judge_claim(statements, published=False, objective_absent=True) is CANNOT


def test_every_verdict_of_a_statement_has_a_rule() -> None:
    assert {verdict for verdict, _ in RULES} == set(Verdict) - {ELSE}
