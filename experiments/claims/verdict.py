"""The rules: what was found about a statement decides its verdict, and its statements decide a claim's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

SPREADS = 1.0
"""A difference of up to this many times what two seeds of the baseline differ by is within seed noise."""
STRICT_SPREADS = 2.0
"""The same for the stricter verdict that stands beside the first."""


class Verdict(StrEnum):
    """What is left of a claim."""

    HOLDS = "holds"
    ONLY_CHOSEN = "holds only against the chosen baseline"
    SEED_NOISE = "within seed noise"
    SOMETHING_ELSE = "measures something else"
    DOES_NOT_HOLD = "does not hold"
    CANNOT_BE_CHECKED = "cannot be checked"


@dataclass(frozen=True)
class Finding:
    """What the published numbers say about one statement; everything a verdict is made of.

    Args:
        published: there are published numbers for it, they give the figures that it states, and it does not
            leave open what is counted where the answer depends on that.
        true_of_chosen: it is true with the baseline that the study chose.
        true_of_same_seed: it is true with the baseline of the variants' own seed; None where that is not published.
        spreads: size of the smallest difference that it needs, in spreads between two baseline seeds; None where
            no such spread is known.
        beyond_clips: all differences that it needs are larger than the drawing of test clips explains.
        equal_budgets: whatever it compares was probed with the same clips, epochs, learning rate and weight decay.
    """

    published: bool
    true_of_chosen: bool = True
    true_of_same_seed: bool | None = None
    spreads: float | None = None
    beyond_clips: bool = True
    equal_budgets: bool = True


RULES: tuple[tuple[Verdict, str], ...] = (
    (
        Verdict.CANNOT_BE_CHECKED,
        "no published number speaks of it, none gives the figure that it states, or the answer depends on what it "
        "leaves open",
    ),
    (
        Verdict.DOES_NOT_HOLD,
        "the published numbers contradict it even with the baseline that the study chose, by more than noise",
    ),
    (
        Verdict.ONLY_CHOSEN,
        "it is true with the baseline that the study chose, and false with the baseline of the variants' own seed",
    ),
    (Verdict.CANNOT_BE_CHECKED, "it compares probes of unequal budgets"),
    (
        Verdict.SEED_NOISE,
        "a difference that it needs is no larger than the difference between two seeds of the baseline, or no larger "
        "than the drawing of test clips explains (95 %)",
    ),
    (Verdict.CANNOT_BE_CHECKED, "no two seeds of any baseline were judged on its benchmark"),
    (Verdict.HOLDS, "none of these"),
)
"""Rules for a statement, the first that fits; ``judge_statement`` is their code."""

CLAIM_RULE = (
    "A claim **measures something else** if an objective that it is about had no part in the numbers: by defect 1 "
    "another network was probed, by defect 2 the objective was not trained. Otherwise it gets the worst verdict of "
    "its statements, in the order does not hold, holds only against the chosen baseline, within seed noise, cannot be "
    "checked, holds. A claim of which nothing is published cannot be checked."
)
_WORST_FIRST = (
    Verdict.DOES_NOT_HOLD,
    Verdict.ONLY_CHOSEN,
    Verdict.SEED_NOISE,
    Verdict.CANNOT_BE_CHECKED,
    Verdict.HOLDS,
)


def judge_statement(finding: Finding, spreads: float = SPREADS) -> Verdict:
    """Apply ``RULES``.

    Args:
        finding: about the statement.
        spreads: differences of up to this many spreads between baseline seeds are noise, > 0.
    """
    if not finding.published:
        return Verdict.CANNOT_BE_CHECKED
    noise = not finding.beyond_clips or (finding.spreads is not None and finding.spreads <= spreads)
    if not finding.true_of_chosen and not noise:
        return Verdict.DOES_NOT_HOLD
    if finding.true_of_chosen and finding.true_of_same_seed is False:
        return Verdict.ONLY_CHOSEN
    if not finding.equal_budgets:
        return Verdict.CANNOT_BE_CHECKED
    if noise:
        return Verdict.SEED_NOISE
    return Verdict.CANNOT_BE_CHECKED if finding.spreads is None else Verdict.HOLDS


def judge_claim(statements: Sequence[Verdict], published: bool, objective_absent: bool) -> Verdict:
    """Apply ``CLAIM_RULE``.

    Args:
        statements: verdicts of its statements, at least one.
        published: whether any number of the study speaks of it.
        objective_absent: whether an objective that it is about had no part in the numbers.
    """
    if not published:
        return Verdict.CANNOT_BE_CHECKED
    if objective_absent:
        return Verdict.SOMETHING_ELSE
    return next(verdict for verdict in _WORST_FIRST if verdict in statements)
