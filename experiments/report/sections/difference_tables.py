"""Tables of paired differences."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from experiments.report.document import Block, Column, Entry, Table
from experiments.report.endpoints import comparison_of, of_family, title_of
from experiments.report.findings import Candidate, Findings
from experiments.report.sections.cells import GAP, HIGHER, LOWER, gap, key_columns, key_entries, verdict
from experiments.report.wording import signed
from experiments.statistics import BASELINE, Comparison, Difference, Endpoint
from experiments.statistics.types import format_p

_FULL_NOTES = (
    "Below the difference its 95 % interval for new seeds and new clips; below the standard deviation every seed. "
    "Detectable: the smallest true difference that this comparison would find with 80 % power.",
)


def full_table(findings: Findings, endpoint: Endpoint) -> list[Table]:
    """Everything about the differences of one endpoint; no table where nothing is compared."""
    keys = key_columns(findings)
    unit = endpoint.unit
    columns = [
        *keys, Column(f"difference, {unit}"), Column("bootstrap"), Column("p, Holm"), Column("seeds"),
        Column("sd of seeds"), Column("detectable"), Column("in words", align="left"),
    ]  # fmt: skip
    rows = []
    for candidate in others(findings):
        comparison = comparison_of(findings.analysis.comparisons, candidate.key, endpoint)
        if comparison is not None:
            rows.append((*key_entries(findings, candidate.key), *_full_row(comparison)))
    title = f"{title_of(findings, endpoint)} minus baseline, {unit}"
    return [Table(title, tuple(columns), tuple(rows), _FULL_NOTES, num_keys=len(keys))] if rows else []


def short_table(
    findings: Findings, comparisons: Sequence[Comparison], endpoints: Sequence[Endpoint], title: str
) -> list[Block]:
    """Differences of several endpoints, a column each; no table where nothing is compared."""
    keys = key_columns(findings)
    columns = [*keys, *(Column(f"{title_of(findings, e)}, {e.unit}") for e in endpoints), Column("seeds")]
    rows = []
    for candidate in findings.candidates:
        found = [comparison_of(comparisons, candidate.key, endpoint) for endpoint in endpoints]
        known = [comparison for comparison in found if comparison is not None]
        if known:
            seeds = Entry(str(max(comparison.difference.num_seeds for comparison in known)))
            rows.append((*key_entries(findings, candidate.key), *map(gap, found), seeds))
    notes = (f"{HIGHER} {LOWER} significant after Holm's correction over its family, in brackets 95 % intervals.",)
    table = Table(title, tuple(columns), tuple(rows), notes if findings.has_intervals else (), num_keys=len(keys))
    return [table] if rows else []


def power_table(findings: Findings) -> list[Block]:
    """How small a difference this table could have found, and how far seeds differ."""
    titles = ("detectable alone", "detectable at Holm's first step", "sd of seeds")
    columns = (Column("endpoint", align="left"), *map(Column, titles))
    rows = []
    for endpoint in [*of_family(findings, "primary"), *of_family(findings, "accuracy")]:
        of_endpoint = (comparison_of(findings.analysis.comparisons, c.key, endpoint) for c in others(findings))
        found = [c.difference for c in of_endpoint if c is not None]
        numbers = [[d.mdd for d in found], [d.mdd_holm for d in found], [d.seed_sd for d in found]]
        cells = [_median(values, endpoint.unit) for values in numbers]
        if any(cell is not GAP for cell in cells):
            rows.append((Entry(f"{title_of(findings, endpoint)}, {endpoint.unit}"), *cells))
    notes = (
        "Medians over variants. Detectable: true difference to the baseline that is found with 80 % power at level "
        "0.05. A smaller one would mostly be missed, so that not significant does not mean equal.",
    )
    return [Table("What could have been found", columns, tuple(rows), notes)] if rows else []


def others(findings: Findings) -> list[Candidate]:
    """Candidates that are compared with a baseline."""
    return [candidate for candidate in findings.candidates if candidate.key.variant != BASELINE]


def _full_row(comparison: Comparison) -> tuple[Entry, ...]:
    found, holm = comparison.difference, comparison.p_holm
    muted = found.low is None
    each = " ".join(signed(value, found.unit) for value in found.per_seed)
    first = "" if found.mdd_holm is None else f"{_detectable(found.mdd_holm, found.unit)} at Holm's first step"
    return (
        gap(comparison),
        _bootstrap(found),
        GAP if holm is None else Entry(format_p(holm).removeprefix("p ").removeprefix("= ")),
        Entry(str(found.num_seeds)),
        GAP if found.seed_sd is None else Entry(signed(found.seed_sd, found.unit)[1:], detail=each),
        GAP if found.mdd is None else Entry(_detectable(found.mdd, found.unit), detail=first),
        Entry(verdict(comparison), muted=muted),
    )


def _detectable(value: float, unit: str) -> str:
    """With two seeds the smallest detectable difference may be larger than any."""
    return "over 100" if unit == "points" and value > 1 else signed(value, unit)[1:]


def _bootstrap(found: Difference) -> Entry:
    if found.bootstrap_low is None or found.bootstrap_high is None:
        return GAP
    return Entry(f"[{signed(found.bootstrap_low, found.unit)}, {signed(found.bootstrap_high, found.unit)}]")


def _median(values: Sequence[float | None], unit: str) -> Entry:
    known = [value for value in values if value is not None]
    return Entry(signed(median(known), unit)[1:]) if known else GAP
