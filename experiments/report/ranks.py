"""Mean rank of each variant within its reading."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.stats import rankdata

from experiments.report.endpoints import PERFORMANCE, of_family, summary_of
from experiments.report.findings import Findings
from experiments.statistics import VariantKey


def mean_ranks(findings: Findings) -> Mapping[VariantKey, float]:
    """Rank 1 is the highest mean; averaged over clean accuracy on every task and mPC, ties share their ranks.

    Only variants that have all of these numbers are ranked, and none where only one has them.
    """
    primary = [endpoint for endpoint in of_family(findings, "primary") if endpoint.name == PERFORMANCE]
    endpoints = [*of_family(findings, "accuracy"), *primary]
    ranks: dict[VariantKey, float] = {}
    for reading in findings.readings:
        keys, values = [], []
        for candidate in findings.of_reading(reading):
            found = [summary_of(findings, candidate.key, endpoint) for endpoint in endpoints]
            if found and all(found):
                keys.append(candidate.key)
                values.append([summary.mean for summary in found if summary])
        if len(keys) > 1:
            mean = rankdata(-np.array(values), axis=0).mean(1)
            ranks |= dict(zip(keys, mean.tolist(), strict=True))
    return ranks
