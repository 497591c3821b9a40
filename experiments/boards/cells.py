"""Finished cells of an ablation as entries of its board."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from experiments.boards.curves import severity_curves
from experiments.boards.entries import Entry, Metric
from experiments.boards.metrics import row_metrics
from experiments.boards.settings import control_settings, run_settings
from experiments.report.scalars import read_scalars
from experiments.results import RANDOM_INIT, Row, is_random_init, read_rows
from experiments.runs import Run

PIXELS = "pixels"
_FINAL = {
    "collapse/rankme": "RankMe of the context",
    "collapse/target_rankme": "RankMe of targets",
    "collapse/target_variance": "target variance",
    "collapse/feature_std": "feature spread",
    "train/loss": "training loss",
}
"""Scalars of training whose last value is a column."""
_SPEED = "throughput/clips_per_second"
_GIB = 2**30


class BoardCell(Protocol):
    """What a board reads of a cell."""

    @property
    def variant(self) -> str: ...
    @property
    def reading(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def run(self) -> Run: ...
    @property
    def done_mark(self) -> Path: ...
    @property
    def is_done(self) -> bool: ...


def read_entries(cells: Iterable[BoardCell], terms: Sequence[str]) -> list[Entry]:
    """One entry a cell, in their order; then the controls that were judged beside them, each once.

    Args:
        cells: finished ones.
        terms: names of the terms whose weights have a column.

    Raises:
        UserError: results of a cell cannot be read.
    """
    entries, controls = [], dict[str, Entry]()
    for cell in cells:
        rows = [row for path in sorted(cell.run.folder.glob("evaluation/*/results.jsonl")) for row in read_rows(path)]
        entries.append(_cell_entry(cell, [row for row in rows if not _is_control(row)], terms))
        for control in _control_entries(cell, [row for row in rows if _is_control(row)]):
            controls.setdefault(control.name, control)
    return [
        *_named_apart(entries),
        *(controls[name] for name in sorted(controls, key=lambda name: (name == PIXELS, name))),
    ]


def _cell_entry(cell: BoardCell, rows: Sequence[Row], terms: Sequence[str]) -> Entry:
    settings = cell.run.settings
    layout = rows[0].layout if rows else str(settings["model"]["layout"])
    metrics = [*row_metrics(rows), *_training_metrics(cell.run.folder), *_cost_metrics(cell.done_mark)]
    name = f"{cell.variant}/{cell.reading}/seed{cell.seed}"
    return Entry(
        name,
        run_settings(cell.variant, cell.reading, cell.seed, layout, settings, terms),
        tuple(metrics),
        severity_curves(rows),
        step=rows[0].step if rows else int(settings["trainer"]["max_steps"]),
        seconds=cell.done_mark.stat().st_mtime,
    )


def _is_control(row: Row) -> bool:
    return row.weights == PIXELS or is_random_init(row)


def _control_entries(cell: BoardCell, rows: Sequence[Row]) -> Iterable[Entry]:
    """The random initialisation of the seed, and raw pixels, which no seed changes."""
    preset, seconds = str(cell.run.settings["model"]["preset"]), cell.done_mark.stat().st_mtime
    for variant, name in ((RANDOM_INIT, f"{RANDOM_INIT}/seed{cell.seed}"), (PIXELS, PIXELS)):
        own = [row for row in rows if (row.weights == PIXELS) == (variant == PIXELS)]
        if own:
            settings = control_settings(variant, cell.seed, preset)
            yield Entry(name, settings, row_metrics(own), severity_curves(own), seconds=seconds)


def _training_metrics(folder: Path) -> list[Metric]:
    logged = read_scalars(folder, (*_FINAL, _SPEED))
    found = [Metric(f"final/{tag}", title, logged[tag].values[-1]) for tag, title in _FINAL.items() if tag in logged]
    if _SPEED in logged:
        found.append(Metric("cost/clips_per_second", "clips per second", float(np.median(logged[_SPEED].values))))
    return [metric for metric in found if np.isfinite(metric.value)]


def _cost_metrics(done_mark: Path) -> list[Metric]:
    done: dict[str, Any] = json.loads(done_mark.read_text())
    seconds = done.get("seconds") or {}
    titles = {"fit": "fit seconds", "evaluation": "evaluation seconds"}
    found = [
        Metric(f"cost/{name}_seconds", title, float(seconds[name])) for name, title in titles.items() if name in seconds
    ]
    if done.get("peak_rss_bytes"):
        found.append(Metric("cost/peak_memory_gib", "peak memory (GiB)", done["peak_rss_bytes"] / _GIB))
    return found


def _named_apart(entries: Sequence[Entry]) -> list[Entry]:
    """Entries of one name, which differ in something else, are numbered."""
    names = [entry.name for entry in entries]
    return [
        replace(entry, name=f"{entry.name}-{names[:place].count(entry.name) + 1}")
        if names.count(entry.name) > 1
        else entry
        for place, entry in enumerate(entries)
    ]
