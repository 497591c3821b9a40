"""Put a report together and write it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.report.document import (
    Block,
    Bullets,
    Code,
    Column,
    Document,
    Entry,
    Figure,
    Heading,
    Paragraph,
    Table,
)
from experiments.report.facts import Comparison, ReportFacts, ReportPaths, TrainingCurve
from experiments.report.html import to_html
from experiments.report.markdown import to_markdown
from experiments.report.plots import plot_accuracies, plot_corruptions, plot_training
from experiments.report.scores import PRIMARY_PROBE, Scores, collect_scores, task_title
from experiments.report.tables import difference_table, main_table, robustness_tables
from experiments.report.wording import probe_name, summary_sentence
from vjepa.storage import atomic_write_bytes, atomic_write_text

if TYPE_CHECKING:
    from experiments.results import Row

_PLOTS = Path("plots")


def render(
    folder: Path,
    rows: Iterable[Row],
    differences: Sequence[Comparison],
    training: Sequence[TrainingCurve],
    facts: ReportFacts,
) -> ReportPaths:
    """Write ``report.md``, ``report.html`` and ``plots/*.png`` into ``folder``, each whole or not at all.

    Args:
        folder: made if absent; an earlier report in it is replaced.
        rows: result rows of one data set; see ``collect_scores``.
        differences: paired differences, those of a pair next to each other, the most important first.
        training: curves to plot, may be empty.
        facts: provenance and caveats.

    Raises:
        UserError: the rows hold no accuracy, contradict one another or mix protocols, or the folder is not
            writable.
    """
    document = build_document(collect_scores(rows), differences, training, facts)
    figures = [block for block in document.blocks if isinstance(block, Figure)]
    for figure in figures:
        atomic_write_bytes(folder / figure.path, figure.png)
    paths = ReportPaths(
        markdown=folder / "report.md",
        html=folder / "report.html",
        plots=tuple(folder / figure.path for figure in figures),
    )
    atomic_write_text(paths.markdown, to_markdown(document))
    atomic_write_text(paths.html, to_html(document))
    return paths


def build_document(
    scores: Scores, differences: Sequence[Comparison], training: Sequence[TrainingCurve], facts: ReportFacts
) -> Document:
    """Arrange a report: the answer, the numbers behind it, what they do not show, how to repeat them."""
    return Document(
        facts.title,
        (
            Paragraph(summary_sentence(scores, differences), lead=True),
            *_other_probes(scores, differences),
            Paragraph(f"Question: {facts.question}"),
            Heading("Accuracy of the frozen encoders"),
            main_table(scores),
            *_figure(
                "accuracy",
                plot_accuracies(scores),
                "Test accuracy by encoder. Large marks: mean over seeds; small dots: single seeds. "
                "A hollow mark is a probe that gave (nearly) all clips one class.",
            ),
            *_difference_blocks(differences),
            *_robustness_blocks(scores),
            *_training_blocks(training),
            Heading("What this does not show"),
            Bullets((*facts.caveats, *_own_caveats(scores))),
            *_missing_blocks(scores),
            Heading("Reproduce"),
            Code(facts.command),
            Paragraph("Training curves and all logged quantities:"),
            Code(facts.tensorboard_command),
            Heading("Protocol and provenance"),
            _provenance(scores, facts),
        ),
    )


def _other_probes(scores: Scores, differences: Sequence[Comparison]) -> list[Block]:
    others = [probe for probe in scores.probes if probe != PRIMARY_PROBE]
    compared = {comparison.probe for comparison in differences}
    if len(scores.seeds) < 2:
        return []
    return [Paragraph(summary_sentence(scores, differences, probe)) for probe in others if probe in compared]


def _figure(name: str, png: bytes | None, caption: str) -> list[Block]:
    return [] if png is None else [Figure(_PLOTS / f"{name}.png", png, caption)]


def _difference_blocks(differences: Sequence[Comparison]) -> list[Block]:
    return [Heading("Differences"), difference_table(differences)] if differences else []


def _robustness_blocks(scores: Scores) -> list[Block]:
    tables = robustness_tables(scores)
    if not tables:
        return []
    caption = (
        f"From clean (tick) to corrupted (mark) accuracy of each encoder, by the "
        f"{probe_name(PRIMARY_PROBE)}, fitted on clean clips."
    )
    figure = _figure("corruptions", plot_corruptions(scores), caption)
    return [Heading("Robustness, smoke run"), *tables, *figure]


def _training_blocks(training: Sequence[TrainingCurve]) -> list[Block]:
    caption = "Running mean over a twentieth of the logged values, above the raw ones; one line a run."
    figure = _figure("training", plot_training(training), caption)
    return [Heading("Training"), *figure] if figure else []


def _own_caveats(scores: Scores) -> list[str]:
    """Caveats that follow from the numbers themselves."""
    found = [
        f"{scores.title(encoder)}: no number of this row depends on training."
        for encoder in scores.encoders
        if encoder.ignores_training
    ]
    if len(scores.seeds) < 2:
        found.append("One pretraining seed: a second one might reverse the order of any two encoders.")
    elif len(scores.seeds) < 5:
        found.append(f"With {len(scores.seeds)} pretraining seeds, only large differences stand out from chance.")
    if any(score.constant_seeds for score in scores.cells.values()):
        found.append("At least one probe is a constant predictor; its cells are marked in the tables.")
    for task in scores.tasks:
        of_task = [score for (_, name, _, _), score in scores.cells.items() if name == task]
        most = max(of_task, key=lambda score: score.num_excluded)
        if most.num_excluded:
            total = most.num_clips + most.num_excluded
            found.append(
                f"{task_title(task)}: {most.num_excluded:,} of {total:,} test clips are broken files; no encoder was "
                "judged on them."
            )
    return found


def _missing_blocks(scores: Scores) -> list[Block]:
    missing = scores.missing()
    return [Heading("Missing cells"), Bullets(tuple(missing))] if missing else []


def _provenance(scores: Scores, facts: ReportFacts) -> Table:
    def joined(entries: Mapping[str, str]) -> str:
        return ", ".join(f"{name} {value}" for name, value in entries.items())

    seeds = ", ".join(map(str, scores.seeds))
    pairs = {
        "data": facts.data,
        "pretraining seeds": f"{facts.num_seeds} ({seeds})",
        "clips": f"{facts.num_train:,} train, {facts.num_val:,} validation, {facts.num_test:,} test",
        "protocol hashes": joined(facts.protocol_hashes),
        "configuration hashes": joined(facts.config_hashes),
        "git revision": facts.git_revision,
        "versions": joined(facts.versions),
        "machine": facts.machine,
        "date": facts.date,
    }
    return Table(
        "Where the numbers come from",
        (Column("item", align="left"), Column("value", align="left")),
        tuple((Entry(name), Entry(value)) for name, value in pairs.items()),
    )
