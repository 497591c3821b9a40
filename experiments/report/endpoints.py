"""The endpoints of an analysis as a report shows them: a column each, whatever division of the latent SSI used."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from experiments.report.findings import Findings
from experiments.report.scores import task_title
from experiments.statistics import Comparison, Endpoint, Summary, VariantKey

SELECTIVITY = "SSI"
PERFORMANCE = "mPC"
ACCURACY = "accuracy"


def column_of(endpoint: Endpoint) -> tuple[Any, ...]:
    """What makes two endpoints one column: the readings divide the latent in two ways, and SSI names the way."""
    probe = "" if endpoint.name == SELECTIVITY else endpoint.probe
    return endpoint.name, endpoint.benchmark, probe, endpoint.family


def of_family(findings: Findings, family: str) -> list[Endpoint]:
    """Endpoints of a family, one for each column."""
    chosen = [endpoint for endpoint in findings.analysis.endpoints if endpoint.family == family]
    return list({column_of(endpoint): endpoint for endpoint in reversed(chosen)}.values())[::-1]


def data_sets(findings: Findings) -> list[str]:
    """Names of the data sets that were evaluated, in their order."""
    return list(dict.fromkeys(e.benchmark.partition("/")[0] for e in findings.analysis.endpoints))


def title_of(findings: Findings, endpoint: Endpoint) -> str:
    """Short title of a column; the data set is named where there are several."""
    if endpoint.name == ACCURACY:
        return task_title(endpoint.benchmark)
    return f"{endpoint.name}, {endpoint.benchmark}" if len(data_sets(findings)) > 1 else endpoint.name


def summary_of(findings: Findings, key: VariantKey, endpoint: Endpoint) -> Summary | None:
    """A variant by itself on an endpoint."""
    asked = column_of(endpoint)
    found = (s for s in findings.analysis.summaries if s.key == key and column_of(s.endpoint) == asked)
    return next(found, None)


def comparison_of(comparisons: Iterable[Comparison], key: VariantKey, endpoint: Endpoint) -> Comparison | None:
    """The comparison of a variant on an endpoint."""
    asked = column_of(endpoint)
    found = (c for c in comparisons if c.treatment == key and column_of(c.endpoint) == asked)
    return next(found, None)
