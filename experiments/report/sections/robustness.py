"""What corruption does: heat maps of corruptions, curves over severities."""

from __future__ import annotations

from functools import partial
from statistics import fmean

from experiments.report.document import Block, Column, Entry, Heading, Paragraph, Table
from experiments.report.drawing.curves import draw_curves
from experiments.report.drawing.heat_map import MEAN, draw_heat_map
from experiments.report.drawing.highlights import MOST
from experiments.report.endpoints import data_sets, of_family
from experiments.report.findings import CONTROLS, Findings
from experiments.report.measures import Measure
from experiments.report.scores import task_title
from experiments.report.sections.cells import GAP, key_columns, key_entries
from experiments.report.sections.figures import figure
from experiments.report.wording import probe_name
from experiments.statistics import VariantKey

_GROUPS = ("spatial", "temporal", "codec")


def robustness_blocks(findings: Findings) -> list[Block]:
    """Nothing where nothing was corrupted."""
    if not findings.profile:
        return []
    intro = (
        f"Test clips damaged after the profile {findings.profile}, judged by the {probe_name(findings.primary_probe)} "
        "that was fitted on clean clips. Corruptions that may change the label are order probes and enter no mean."
    )
    blocks: list[Block] = [Heading("Robustness"), Paragraph(intro), *_group_table(findings)]
    tasks = [endpoint.benchmark for endpoint in of_family(findings, "accuracy")]
    for task in tasks:
        caption = (
            f"{task_title(task).capitalize()}: share of the accuracy above the majority rate m that is left under each "
            "corruption, averaged over severities; 1 is unharmed, 0 is chance."
        )
        if findings.has_intervals:
            caption += (
                " Hatched: not told apart from the baseline of the reading by a 95 % interval over seeds and clips, "
                "each cell by itself, uncorrected."
            )
        draw = partial(draw_heat_map, findings, task)
        blocks += figure(f"heat_map_{_file(task)}", draw, caption, f"Heat map, {task}. {_extremes(findings, task)}")
    return [*blocks, *_curves(findings)]


def _curves(findings: Findings) -> list[Block]:
    """Accuracy and drift over severity, a figure a data set and reading."""
    blocks: list[Block] = []
    for data in data_sets(findings):
        for reading in findings.readings:
            ending = f", {reading.replace('_', ' ')}" if len(findings.readings) > 1 else ""
            suffix = f"{_file(data)}_{reading}" if len(findings.readings) > 1 else _file(data)
            rule = ""
            if len(findings.of_reading(reading)) > MOST:
                rule = (
                    " Drawn in colour: the baseline, the study's headline variant and its parts, as far as they are "
                    "there; grey lines are all others."
                )
            for name, levels, label, scale, what in (
                ("accuracy", findings.robustness.accuracy, "test accuracy over all tasks, %", 100.0,
                 f"accuracy over all tasks against severity{_bands(findings, 'new seeds and new clips')}."),
                ("drift", findings.robustness.drift, "mean centred cosine drift", 1.0,
                 "drift of the whole representation against severity, 0 is unmoved, 1 unrelated"
                 f"{_bands(findings, 'new seeds')}. Stability is not utility: a constant representation never drifts."),
            ):  # fmt: skip
                draw = partial(draw_curves, findings, levels, data, reading, label, scale=scale)
                alt = f"Degradation curves of {name} on {data}{ending}, a panel a corruption."
                blocks += figure(f"curves_{name}_{suffix}", draw, f"{data}{ending}: {what}{rule}", alt)
    return [Heading("Degradation curves", 3), *blocks] if blocks else []


def _bands(findings: Findings, of: str) -> str:
    return f"; bands are 95 % intervals for {of}" if findings.has_intervals else "; one seed, so there are no intervals"


def _group_table(findings: Findings) -> list[Block]:
    """mPC of each group of corruptions, averaged over tasks."""
    groups = [group for group in _GROUPS if _measures(findings, group)]
    order = findings.measures.having(lambda m: m.metric == "os" and m.probe == findings.primary_probe)
    if not groups:
        return []
    keys = key_columns(findings)
    columns = [*keys, *(Column(f"mPC, {group}") for group in groups)]
    columns += [Column("order sensitivity")] if order else []
    rows = []
    for key in [*CONTROLS, *(candidate.key for candidate in findings.candidates)]:
        cells = [_mean(findings, key, _measures(findings, group), 100) for group in groups]
        cells += [_mean(findings, key, order, 1)] if order else []
        if any(cell is not GAP for cell in cells):
            rows.append((*key_entries(findings, key), *cells))
    notes = ["Means over tasks and seeds, in %; described only. The tested endpoint is mPC as a whole."]
    if order:
        notes.append(
            "Order sensitivity: 0 where shuffled frames cost nothing, 1 where they cost all that is above the majority "
            "rate, averaged over the tasks where it is defined."
        )
    title = "Accuracy under groups of corruptions"
    return [Table(title, tuple(columns), tuple(rows), tuple(notes), num_keys=len(keys))]


def _measures(findings: Findings, group: str) -> list[Measure]:
    name = f"mpc_{group}_{findings.profile}"
    return findings.measures.having(
        lambda m: m.metric == name and m.probe == findings.primary_probe and m.subspace == "whole"
    )


def _mean(findings: Findings, key: VariantKey, measures: list[Measure], scale: float) -> Entry:
    found = [value for measure in measures if (value := findings.measures.mean(key, measure)) is not None]
    if not found:
        return GAP
    text = f"{scale * fmean(found):.{1 if scale > 1 else 2}f}".replace("-", "\u2212")
    one = key in findings.by_key and len(findings.by_key[key].seeds) == 1
    return Entry(text, muted=one)


def _extremes(findings: Findings, task: str) -> str:
    cells = {key: cell for (key, of, name), cell in findings.robustness.retained.items() if (of, name) == (task, MEAN)}
    mine = {key: cell.value for key, cell in cells.items() if key in findings.by_key}
    if not mine:
        return "No variant has a ratio."
    best, worst = max(mine, key=lambda key: mine[key]), min(mine, key=lambda key: mine[key])
    return (
        f"Over all corruptions the most is left of {findings.title_of(best)} ({mine[best]:.2f}) and the least of "
        f"{findings.title_of(worst)} ({mine[worst]:.2f})."
    )


def _file(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name)
