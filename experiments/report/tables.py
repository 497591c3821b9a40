"""The tables of a report, built once and rendered anywhere."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.report.document import MISSING, Column, Entry, Table
from experiments.report.facts import Comparison
from experiments.report.scores import CLEAN, Encoder, Score, Scores, condition_titles, task_title, variant_title
from experiments.report.wording import interval, interval_name, points, probe_name, probe_title, verdict

CONSTANT_MARK = "\u2020"


def main_table(scores: Scores) -> Table:
    """Accuracy of each encoder on each task by each probe, over the majority-class rate."""
    columns = [Column("encoder", align="left"), Column("weights", align="left"), Column("seeds")]
    for task in scores.tasks:
        group = f"{task_title(task)}, n = {_span(scores.num_clips(task, CLEAN))}"
        columns += [Column(probe_title(probe), group) for probe in scores.probes]
    rows = []
    for encoder in scores.encoders:
        found = [scores.get(encoder, task, probe) for task in scores.tasks for probe in scores.probes]
        rows.append((*_names(scores, encoder, found), *(_entry(score) for score in found)))
    if scores.floors:
        floors = [scores.floors.get(task) for task in scores.tasks for _ in scores.probes]
        texts = [
            "majority class",
            MISSING,
            MISSING,
            *(MISSING if rate is None else percent(rate) for rate in floors),
        ]
        rows.append(tuple(Entry(text, muted=True) for text in texts))
    return Table("Test accuracy in %", tuple(columns), tuple(rows), _main_notes(scores), num_keys=3)


def difference_table(comparisons: Sequence[Comparison]) -> Table:
    """Paired differences of accuracy; what has no interval is greyed and says so."""
    columns = (
        Column("compared", align="left"),
        Column("task", align="left"),
        Column("probe", align="left"),
        Column("difference, points"),
        Column(interval_name(comparison.difference for comparison in comparisons)),
        Column("seeds"),
        Column("clips"),
        Column("in words", align="left"),
    )
    rows = []
    for comparison in comparisons:
        found = comparison.difference
        texts = (
            f"{comparison.treatment} minus {comparison.control}",
            task_title(comparison.benchmark),
            probe_title(comparison.probe),
            points(found.mean),
            f"[{interval(found)}]" if interval(found) else "n=1 seed, no interval",
            str(found.num_seeds),
            f"{found.num_clips:,}",
            verdict(found),
        )
        rows.append(tuple(Entry(text, muted=interval(found) is None) for text in texts))
    notes = (
        "Differences of accuracy in percentage points, paired by seed and by clip.",
        "Each interval stands alone: none is corrected for the number of comparisons in this table.",
    )
    return Table("Paired differences", columns, tuple(rows), notes, num_keys=3)


def robustness_tables(scores: Scores) -> list[Table]:
    """Accuracy on clean and on corrupted clips, a table a probe; none where nothing was corrupted."""
    columns = [Column(title, align="left") for title in ("task", "encoder", "weights")]
    columns += [Column(title) for title in ("seeds", *condition_titles(scores.conditions))]
    tables = []
    for probe in scores.probes:
        if not _is_corrupted(scores, probe):
            continue
        rows = []
        for task in scores.tasks:
            for encoder in scores.encoders:
                found = [scores.get(encoder, task, probe, condition) for condition in scores.conditions]
                if any(found):
                    names = _names(scores, encoder, found)
                    rows.append((Entry(task_title(task)), *names, *(_entry(score) for score in found)))
        title = f"Test accuracy in %, clean and corrupted, {probe_name(probe)}"
        tables.append(Table(title, tuple(columns), tuple(rows), _robustness_notes(scores), num_keys=4))
    return tables


def percent(value: float) -> str:
    """A fraction as per cent with one decimal, without the sign."""
    return f"{100 * value:.1f}"


def _entry(score: Score | None) -> Entry:
    if score is None:
        return Entry(MISSING, muted=True)
    spread = "" if score.spread is None else f" \u00b1 {percent(score.spread)}"
    return Entry(percent(score.mean) + spread + (CONSTANT_MARK if score.constant_seeds else ""))


def _names(scores: Scores, encoder: Encoder, found: Sequence[Score | None]) -> tuple[Entry, Entry, Entry]:
    counts = sorted({len(score.per_seed) for score in found if score is not None})
    weights = MISSING if encoder.weights == "pixels" else encoder.weights
    return Entry(scores.title(encoder)), Entry(weights), Entry(_span(counts))


def _span(counts: Sequence[int]) -> str:
    if not counts:
        return MISSING
    low, high = f"{min(counts):,}", f"{max(counts):,}"
    return low if low == high else f"{low}{MISSING}{high}"


def _main_notes(scores: Scores) -> tuple[str, ...]:
    notes = []
    if any(score.spread is not None for score in scores.cells.values()):
        notes.append("Mean \u00b1 standard deviation over pretraining seeds; n is the number of test clips.")
    else:
        notes.append("One pretraining seed, so no spread is shown; n is the number of test clips.")
    variants: dict[str, list[str]] = {}
    for name, layout in scores.layouts.items():
        variants.setdefault(layout.replace("_", " "), []).append(variant_title(name))
    if variants:
        layouts = "; ".join(f"{layout} in {', '.join(names)}" for layout, names in variants.items())
        notes.append(f"Layout of the latent: {layouts}.")
    if any(encoder.ignores_training for encoder in scores.encoders):
        notes.append(
            "Initial weights: this reading evaluates a run as it was before its first step, as the study's released "
            "code does without a teacher. The row says nothing of what was trained; it repeats random init."
        )
    if any(score.constant_seeds for score in scores.cells.values()):
        notes.append(
            f"{CONSTANT_MARK} In at least one seed the probe gave (nearly) all clips one class: "
            "the number measures no ability."
        )
    if missing := len(scores.missing()):
        notes.append(f"{MISSING} No result. Incomplete cells, listed in the report: {missing}.")
    return tuple(notes)


def _robustness_notes(scores: Scores) -> tuple[str, ...]:
    corrupted = [condition for condition in scores.conditions if condition != CLEAN]
    kinds = len({condition.corruption for condition in corrupted})
    severities = sorted({condition.severity for condition in corrupted})
    clips = {n for task in scores.tasks for condition in corrupted for n in scores.num_clips(task, condition)}
    return (
        f"Smoke profile: {kinds} corruption{'s' if kinds > 1 else ''} at severity "
        f"{', '.join(map(str, severities))}. It is not the mPC of rob-v1, which averages over "
        "all corruptions and severities.",
        f"Corrupted cells are measured on {_span(sorted(clips))} clips a task. No drop is printed, "
        "because a difference needs an interval.",
    )


def _is_corrupted(scores: Scores, probe: str) -> bool:
    return any(other == probe and condition != CLEAN for _, _, other, condition in scores.cells)
