"""Checks claims three ways: against the published results, the defects, and runs of ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from experiments.claims.catalogue import CLAIMS, Claim
from experiments.claims.defects import Defect, objectives_absent, touching
from experiments.claims.ours import OurResult, our_results
from experiments.claims.statements import Outcome, Statement
from experiments.claims.verdict import SPREADS, STRICT_SPREADS, Verdict, judge_claim, judge_statement
from experiments.statistics.types import Analysis


@dataclass(frozen=True)
class CheckedStatement:
    """A statement and what became of it.

    Args:
        statement, outcome: what is stated, what was found.
        verdict: by the rules; ``strict`` with the wider band of seed noise.
    """

    statement: Statement
    outcome: Outcome
    verdict: Verdict
    strict: Verdict


@dataclass(frozen=True)
class CheckedClaim:
    """A claim and what became of it.

    Args:
        claim: what the study says.
        statements: each with its own verdict.
        verdict: by the rules; ``strict`` with the wider band of seed noise.
        absent: defects by which an objective that it is about had no part in the numbers.
        defects: all that touch its numbers in particular.
        contexts: figures beside it, in words.
        ours: what runs of ours show, one result for each thing they should show.
    """

    claim: Claim
    statements: tuple[CheckedStatement, ...]
    verdict: Verdict
    strict: Verdict
    absent: tuple[Defect, ...]
    defects: tuple[Defect, ...]
    contexts: tuple[str, ...]
    ours: tuple[OurResult, ...]


def check_claims(analysis: Analysis | None = None, claims: Sequence[Claim] = CLAIMS) -> tuple[CheckedClaim, ...]:
    """Check claims.

    Args:
        analysis: of runs of ours; None if there are none. It never changes a verdict, which is about the study.
        claims: to check.
    """
    return tuple(check_claim(claim, analysis) for claim in claims)


def check_claim(claim: Claim, analysis: Analysis | None = None) -> CheckedClaim:
    """Check one claim; as ``check_claims``."""
    outcomes = [statement.check() for statement in claim.statements]
    statements = tuple(
        CheckedStatement(
            statement,
            outcome,
            judge_statement(outcome.finding, SPREADS),
            judge_statement(outcome.finding, STRICT_SPREADS),
        )
        for statement, outcome in zip(claim.statements, outcomes, strict=True)
    )
    published = any(outcome.finding.published for outcome in outcomes)
    absent = objectives_absent(claim.subjects)
    return CheckedClaim(
        claim=claim,
        statements=statements,
        verdict=judge_claim([item.verdict for item in statements], published, bool(absent)),
        strict=judge_claim([item.strict for item in statements], published, bool(absent)),
        absent=absent,
        defects=touching(claim.subjects, (place for _, place in claim.places), (regime for regime, _ in claim.places)),
        contexts=tuple(context() for context in claim.contexts),
        ours=our_results(claim.expectations, analysis),
    )
