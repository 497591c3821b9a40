"""A claim in a line: what decides its verdict, and what runs of ours say."""

from __future__ import annotations

from collections import Counter

from experiments.claims.check import CheckedClaim, CheckedStatement
from experiments.claims.ours import Answer, OurResult
from experiments.claims.verdict import Verdict
from experiments.claims.wording import named
from experiments.report.wording import listed
from experiments.statistics.types import format_p


def deciding(checked: CheckedClaim) -> str:
    """The figures, or the defect and its evidence, that the verdict comes from."""
    if checked.verdict is Verdict.SOMETHING_ELSE:
        causes = [
            f"by defect {item.number}, {item.text} ({named(item.names(checked.claim.subjects))})"
            for item in checked.absent
        ]
        evidence = checked.claim.evidence
        return "; ".join([*causes, evidence() if evidence else checked.statements[0].outcome.says])
    if checked.verdict is Verdict.HOLDS:
        return "; ".join(item.outcome.says for item in checked.statements)
    return deciding_statement(checked).outcome.says


def deciding_statement(checked: CheckedClaim) -> CheckedStatement:
    """The statement that has the claim's verdict; of several, the one with the smallest difference."""
    return min((item for item in checked.statements if item.verdict is checked.verdict), key=_size)


def _size(item: CheckedStatement) -> float:
    return float("inf") if item.outcome.finding.spreads is None else item.outcome.finding.spreads


def our_answers(checked: CheckedClaim) -> str:
    """How many comparisons of ours say what."""
    counted = Counter(item.answer for item in checked.ours)
    if set(counted) <= {Answer.NOT_RUN}:
        return Answer.NOT_RUN.value
    return listed(f"{counted[answer]} {answer}" for answer in Answer if counted[answer])


def our_sentence(item: OurResult) -> str:
    """One comparison of ours in words."""
    wanted, found = item.expectation, item.comparison
    if found is None:
        return f"`{wanted.variant}` for {wanted.benchmark}: not run"
    difference = found.difference
    holm = "" if found.p_holm is None else f", Holm-corrected {format_p(found.p_holm)}"
    return (
        f"`{wanted.variant}` {found.treatment.reading} on {found.endpoint.benchmark}: "
        f"{difference.signed(difference.mean)} {difference.unit}, {difference.interval}{holm}, {difference.sample}: "
        f"{item.answer}"
    )
