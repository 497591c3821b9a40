"""The first paragraph says what the intervals allow, and no more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from experiments.report.document import Paragraph
from experiments.report.sections.answer import answer_blocks
from experiments.report.wording import points, signed
from tests.experiments.report.made import make_findings


def _leads(findings) -> list[str]:
    return [block.text for block in answer_blocks(findings) if isinstance(block, Paragraph) and block.lead]


def _pooled(findings, **changes):
    """The same findings with other numbers of the mean over pairs on mPC."""
    contrast = tuple(
        replace(c, difference=replace(c.difference, **changes.get("difference", {})), **changes.get("comparison", {}))
        if c.treatment.variant == "factorized" and c.endpoint.name == "mPC"
        else c
        for c in findings.analysis.factorization
    )
    return replace(findings, analysis=replace(findings.analysis, factorization=contrast))


def test_says_what_factorization_does_with_interval_p_and_n():
    (text,) = _leads(make_findings())
    assert text.startswith(
        "Factorizing the latent raises the selectivity index of the halves; no effect on accuracy under corruption is "
        "shown. Factorized minus not factorized, 3 matched pairs, n = 3 seeds x 1,000 clips: mPC +"
    )
    assert "not significant, Holm-corrected p = " in text
    assert "would mostly be missed" in text
    assert "SSI +0.28 nats [+0.25, +0.30] (Holm-corrected p < 0.001)" in text
    assert all(f"{task} " in text for task in ("appearance", "motion", "order"))


@pytest.mark.parametrize(("mean", "word"), [(0.05, "raises"), (-0.05, "lowers")])
def test_a_significant_effect_is_told_by_its_sign(mean, word):
    changed = {"mean": mean, "low": mean - 0.01, "high": mean + 0.01}
    found = _pooled(make_findings(), difference=changed, comparison={"p_holm": 0.01, "significant": True})
    assert f"Factorizing the latent {word} accuracy under corruption" in _leads(found)[0]


def test_an_interval_without_zero_is_no_claim_before_holm():
    changed = {"mean": 0.05, "low": 0.01, "high": 0.09}
    found = _pooled(make_findings(), difference=changed, comparison={"p_holm": 0.06, "significant": False})
    text = _leads(found)[0]
    assert "no effect on accuracy under corruption is shown" in text
    assert "mPC +5.0 points [+1.0, +9.0] (not significant, Holm-corrected p = 0.060)" in text


def test_every_reading_has_its_answer():
    texts = _leads(make_findings(readings=("as_described", "as_released")))
    assert [text.partition(":")[0] for text in texts] == ["As described", "As released"]


def test_one_seed_claims_nothing():
    (text,) = _leads(make_findings(seeds=1))
    assert text.startswith("One seed: no interval, and nothing is claimed".replace("One", "one"))
    assert not any(word in text for word in ("raises", "lowers", "[", "p ="))


def test_without_matched_pairs_nothing_is_answered():
    (text,) = _leads(make_findings(variants=("baseline", "fwm_hw_ld")))
    assert text.startswith("This ablation cannot say what factorizing the latent does")
    assert "fwm_hw_ld minus baseline, which differ in more than the factorization: mPC " in text
    (text,) = _leads(make_findings(variants=("baseline", "fwm_hw_ld"), seeds=1))
    assert text.startswith("One seed: no interval, and nothing is claimed")
    assert "[" not in text


@pytest.mark.parametrize(
    ("value", "text"), [(0.123, "+12.3"), (-0.0123, "\u22121.2"), (-0.0001, "+0.0"), (0.0, "+0.0")]
)
def test_points_are_signed_with_one_decimal(value, text):
    assert points(value) == signed(value, "points") == text
    assert signed(-0.004, "nats") == "+0.00"
