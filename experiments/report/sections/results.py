"""The main table: every variant by itself."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from experiments.report.document import MISSING, Block, Column, Entry, Heading, Paragraph, Table
from experiments.report.endpoints import (
    PERFORMANCE,
    SELECTIVITY,
    comparison_of,
    data_sets,
    of_family,
    summary_of,
    title_of,
)
from experiments.report.findings import CONTROLS, RANDOM_INIT, TITLES, Findings
from experiments.report.measures import Measure
from experiments.report.ranks import mean_ranks
from experiments.report.sections.cells import CONSTANT, GAP, MARKS_NOTE, holm_mark, key_columns, key_entries, level
from experiments.report.tables import main_table
from experiments.report.wording import probe_name
from experiments.statistics import Endpoint, VariantKey


def results_table(findings: Findings) -> Table:
    """Accuracy on each task, mPC, rPC*, selectivity index and mean rank of every variant, and the controls."""
    accuracies, primary = of_family(findings, "accuracy"), of_family(findings, "primary")
    columns = [*key_columns(findings), Column("seeds")]
    columns += [Column(title_of(findings, endpoint), _clean_group(findings, accuracies)) for endpoint in accuracies]
    for data in data_sets(findings):
        columns += [Column(_short(endpoint), _group(findings, data)) for endpoint in _of(primary, data)]
        columns += [Column("rPC*", _group(findings, data))] if _has_ratio(findings, data) else []
    columns.append(Column("mean rank"))
    ranks = mean_ranks(findings)
    rows = []
    controls = [key for key in CONTROLS if any(s.key == key for s in findings.analysis.summaries)]
    for key in [*controls, *(candidate.key for candidate in findings.candidates)]:
        cells = [*key_entries(findings, key), _seeds(findings, key)]
        cells += [_cell(findings, key, endpoint) for endpoint in accuracies]
        for data in data_sets(findings):
            cells += [_cell(findings, key, endpoint) for endpoint in _of(primary, data)]
            cells += [_ratio(findings, key, data)] if _has_ratio(findings, data) else []
        cells.append(Entry(f"{ranks[key]:.1f}") if key in ranks else GAP)
        rows.append(tuple(cells))
    rows.insert(len(controls), _majority(findings, columns, accuracies))
    num_keys = len(key_columns(findings))
    return Table("Every variant by itself", tuple(columns), tuple(rows), tuple(_notes(findings)), num_keys=num_keys)


def results_blocks(findings: Findings) -> list[Block]:
    """Table of the main probe; that of the other probes stands in ``other_probes_blocks``."""
    table = results_table(findings)
    intro = (
        "Frozen encoders on test clips. Controls come first: an encoder without one step of training and raw pixels, "
        "judged by the same probes. What does not stand out from them was not learned."
    )
    return [Heading("Results"), Paragraph(intro), table]


def other_probes_blocks(findings: Findings) -> list[Block]:
    """Every probe beside the primary one; described, not tested."""
    if len(findings.scores.probes) < 2:
        return []
    text = (
        "The primary probe was declared before the numbers were known. The others are printed beside it because a "
        "partial collapse shows only to several probes together; no p-value belongs to them."
    )
    return [Heading("Every probe", 3), Paragraph(text), main_table(findings.scores)]


def _of(endpoints: Sequence[Endpoint], data: str) -> list[Endpoint]:
    return [endpoint for endpoint in endpoints if endpoint.benchmark == data]


def _short(endpoint: Endpoint) -> str:
    return {PERFORMANCE: "mPC, %", SELECTIVITY: "SSI, nats"}.get(endpoint.name, endpoint.name)


def _clean_group(findings: Findings, endpoints: Sequence[Endpoint]) -> str:
    counts = {s.num_clips for s in findings.analysis.summaries if s.endpoint in endpoints}
    span = f", n = {_span(sorted(counts))}" if counts else ""
    return f"clean accuracy in %{span}"


def _group(findings: Findings, data: str) -> str:
    return f"{data}, corrupted ({findings.profile})" if findings.profile else data


def _span(counts: Sequence[int]) -> str:
    return f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,}{MISSING}{counts[-1]:,}"


def _seeds(findings: Findings, key: VariantKey) -> Entry:
    candidate = findings.by_key.get(key)
    if candidate is not None:
        return Entry(str(len(candidate.seeds)))
    return Entry(str(max(s.num_seeds for s in findings.analysis.summaries if s.key == key)))


def _cell(findings: Findings, key: VariantKey, endpoint: Endpoint) -> Entry:
    mark = holm_mark(comparison_of(findings.analysis.comparisons, key, endpoint))
    if endpoint.family == "accuracy" and _is_constant(findings, key, endpoint):
        mark += CONSTANT
    return level(summary_of(findings, key, endpoint), mark)


def _is_constant(findings: Findings, key: VariantKey, endpoint: Endpoint) -> bool:
    measure = Measure(endpoint.benchmark, "constant_predictor", endpoint.probe)
    return any(value > 0 for value in findings.measures.per_seed(key, measure).values())


def _ratio_measures(findings: Findings, data: str) -> list[Measure]:
    """rPC* of the tasks of a data set, by the primary probe."""
    name, at = f"rpc_corrected_{findings.profile}", (data, f"{data}/")
    return findings.measures.having(
        lambda m: m.metric == name and m.probe == findings.primary_probe and m.subspace == "whole"
        and (m.benchmark == at[0] or m.benchmark.startswith(at[1]))
    )  # fmt: skip


def _has_ratio(findings: Findings, data: str) -> bool:
    return bool(findings.profile) and bool(_ratio_measures(findings, data))


def _ratio(findings: Findings, key: VariantKey, data: str) -> Entry:
    """Mean over the tasks where it is defined; how many those are stands beside it if some are missing."""
    tasks = {e.benchmark for e in of_family(findings, "accuracy") if e.benchmark.partition("/")[0] == data}
    measures = _ratio_measures(findings, data)
    found = [value for m in measures if (value := findings.measures.mean(key, m)) is not None]
    if not found:
        return GAP
    text = f"{fmean(found):.2f}".replace("-", "\u2212")
    return Entry(text, detail=f"({len(found)} of {len(tasks)} tasks)" if len(found) < len(tasks) else "")


def _majority(findings: Findings, columns: Sequence[Column], accuracies: Sequence[Endpoint]) -> tuple[Entry, ...]:
    floors = {title_of(findings, e): findings.scores.floors.get(e.benchmark) for e in accuracies}
    cells = [Entry(""), Entry("majority class", muted=True)]
    for column in columns[2:]:
        floor = floors.get(column.title)
        cells.append(GAP if floor is None else Entry(f"{100 * floor:.1f}", muted=True))
    return tuple(cells)


def _notes(findings: Findings) -> list[str]:
    notes = [f"Accuracies by the {probe_name(findings.primary_probe)}; n is the number of test clips."]
    if findings.has_intervals:
        notes.append(
            "In small print: 95 % interval of the variant by itself, for new seeds and new clips. Intervals of two "
            "variants may overlap although their paired difference is significant; see the differences below."
        )
        notes.append(MARKS_NOTE)
    else:
        notes.append("One seed: values are grey and stand without interval; no two of them are compared.")
    if findings.profile:
        notes.append(
            "mPC: accuracy averaged over corruptions and their severities. rPC*: the share of the accuracy above the "
            f"majority rate that is left, {MISSING} where clean accuracy is not 3 standard errors above that rate. "
            "SSI: see Subspaces."
        )
    divided = dict.fromkeys(candidate.title for candidate in findings.candidates if candidate.is_factorized)
    if divided:
        notes.append(f"Factorized latents, divided into z_app and z_dyn: {', '.join(divided)}.")
    notes.append(
        "Mean rank: within the reading, over clean accuracy on every task and mPC, 1 is best; it has no interval, so "
        "near ranks say nothing."
    )
    if any(c.ignores_training for c in findings.candidates):
        notes.append(
            "Initial weights: this reading evaluates a run as it was before its first step, as the study's released "
            f"code does without a teacher. The row repeats {TITLES[RANDOM_INIT]}, whatever was trained."
        )
    if any(_is_constant(findings, c.key, e) for c in findings.candidates for e in of_family(findings, "accuracy")):
        notes.append(
            f"{CONSTANT} In at least one seed the probe gave (nearly) all clips one class: the number measures no "
            "ability."
        )
    return notes
