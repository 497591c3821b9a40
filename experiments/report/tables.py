"""Clean accuracy of every encoder by every probe, from rows alone."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.report.document import MISSING, Column, Entry, Table
from experiments.report.scores import CLEAN, Encoder, Score, Scores, task_title
from experiments.report.wording import probe_title

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
    divided: dict[str, list[str]] = {}
    for encoder, layout in scores.layouts.items():
        if layout != "whole":
            divided.setdefault(layout.replace("_", " "), []).append(scores.title(encoder))
    if divided:
        layouts = "; ".join(f"{layout} in {', '.join(names)}" for layout, names in divided.items())
        notes.append(f"Factorized latents: {layouts}. Every other one is whole.")
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
