"""Cells of tables: numbers with their intervals and marks."""

from __future__ import annotations

from experiments.report.document import MISSING, Column, Entry
from experiments.report.endpoints import SELECTIVITY
from experiments.report.findings import CONTROLS, TITLES, Findings
from experiments.report.wording import signed
from experiments.statistics import Comparison, Summary, VariantKey

HIGHER, LOWER = "\u25b2", "\u25bc"
CONSTANT = "\u2020"
GAP = Entry(MISSING, muted=True)
MARKS_NOTE = (
    f"{HIGHER} higher, {LOWER} lower than the baseline of the same reading, significant after Holm's correction over "
    "its family. A number without a mark does not differ significantly, which does not say that it is equal."
)


def key_columns(findings: Findings) -> list[Column]:
    """Number, variant and, where there are several, reading."""
    columns = [Column("#"), Column("variant", align="left")]
    return columns + ([Column("reading", align="left")] if len(findings.readings) > 1 else [])


def key_entries(findings: Findings, key: VariantKey) -> list[Entry]:
    """The cells below ``key_columns``."""
    if key in CONTROLS:
        entries, reading = [Entry(""), Entry(TITLES[key])], MISSING
    else:
        candidate = findings.by_key[key]
        name = candidate.title + (" (initial weights)" if candidate.ignores_training else "")
        entries, reading = [Entry(str(candidate.number)), Entry(name)], key.reading.replace("_", " ")
    return entries + ([Entry(reading)] if len(findings.readings) > 1 else [])


def level(summary: Summary | None, mark: str = "") -> Entry:
    """A variant by itself: accuracies in per cent, indices in nats; grey and without interval where n = 1."""
    if summary is None:
        return GAP
    index = summary.endpoint.name == SELECTIVITY

    def text(value: float) -> str:
        # An interval of few seeds may leave the range of an accuracy, which says nothing more.
        return signed(value, "nats") if index else f"{100 * min(1.0, max(0.0, value)):.1f}"

    if summary.low is None or summary.high is None:
        return Entry(text(summary.mean) + mark, muted=summary.key not in CONTROLS)
    return Entry(text(summary.mean) + mark, detail=f"[{text(summary.low)}, {text(summary.high)}]")


def holm_mark(comparison: Comparison | None) -> str:
    """The mark of a difference that stays significant; nothing else has one."""
    if comparison is None or not comparison.significant:
        return ""
    return f" {HIGHER if comparison.difference.mean > 0 else LOWER}"


def gap(comparison: Comparison | None) -> Entry:
    """A difference with its interval and mark, grey where n = 1."""
    if comparison is None:
        return GAP
    found = comparison.difference
    text = signed(found.mean, found.unit)
    if found.low is None or found.high is None:
        return Entry(text, muted=True, detail="n = 1, no interval")
    within = f"[{signed(found.low, found.unit)}, {signed(found.high, found.unit)}]"
    return Entry(text + holm_mark(comparison), detail=within)


def verdict(comparison: Comparison) -> str:
    """What may be said of a difference among its family."""
    found = comparison.difference
    if found.low is None:
        return "one seed: nothing is claimed"
    if comparison.p_holm is None:
        return "described only"
    if not comparison.significant:
        return "not significant"
    return "higher" if found.mean > 0 else "lower"
