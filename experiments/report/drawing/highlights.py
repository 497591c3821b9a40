"""Which few of many variants a line plot picks out, by a rule that does not look for a story."""

from __future__ import annotations

from experiments.report.findings import RANDOM_INIT, Candidate, Findings
from experiments.statistics import VariantKey

MOST = 5
_PREFERRED = ("baseline", "fwm_hw_ld", "fwm", "ld", "hw")
"""The study's headline variant and its three ingredients."""


def picked_out(findings: Findings, reading: str) -> list[Candidate]:
    """All candidates of a reading if they are few; else the baseline, the study's headline variant and its parts.

    Those of them that are missing are replaced in the order of the plan.
    """
    candidates = findings.of_reading(reading)
    if len(candidates) <= MOST:
        return list(candidates)
    ordered = sorted(candidates, key=lambda c: (c.key.variant not in _PREFERRED, c.number))
    return sorted(ordered[:MOST], key=lambda c: c.number)


def keys_with_control(candidates: list[Candidate]) -> list[VariantKey]:
    """Names of candidates and of the untrained control."""
    return [*(candidate.key for candidate in candidates), RANDOM_INIT]
