"""The pictures of a report: dots rather than bars, every seed visible, legible without colour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import offset_copy

from experiments.report.facts import Scalars, TrainingCurve
from experiments.report.scores import (
    CLEAN,
    PRIMARY_PROBE,
    Encoder,
    Score,
    Scores,
    condition_titles,
    task_title,
)
from experiments.report.style import (
    COLOURS,
    FAINT,
    FLOOR,
    MARKERS,
    PIXELS_STYLE,
    RANDOM_INIT_STYLE,
    LineStyle,
    new_figure,
    numbered_style,
    styled,
    to_png,
)
from experiments.report.wording import probe_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MEAN: dict[str, Any] = {"markersize": 8, "zorder": 4, "clip_on": False}
_SEED: dict[str, Any] = {
    "marker": "o",
    "linestyle": "",
    "markersize": 3,
    "markeredgewidth": 0,
    "clip_on": False,
}


def plot_accuracies(scores: Scores) -> bytes:
    """Accuracy by encoder, a panel a task: large marks are means over seeds, small dots single seeds.

    Returns:
        A PNG.
    """
    encoders = scores.encoders
    offsets = _dodge(len(scores.probes), 0.4)
    with _figure(len(scores.tasks), 1.6 + 0.55 * len(encoders)) as (figure, axes, png):
        for axis, task in zip(axes, scores.tasks, strict=True):
            for row, encoder in enumerate(encoders):
                for probe, offset, colour, marker in zip(scores.probes, offsets, cycle(COLOURS), cycle(MARKERS)):
                    score = scores.get(encoder, task, probe)
                    if score is not None:
                        _draw_score(axis, score, row + offset, colour, marker)
            _finish_panel(axis, [_row_label(scores, encoder) for encoder in encoders], task, scores)
        handles = [
            Line2D([], [], color=colour, marker=marker, linestyle="", label=probe_name(probe))
            for probe, colour, marker in zip(scores.probes, cycle(COLOURS), cycle(MARKERS), strict=False)
        ]
        handles += _common_handles(scores)
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return png.getvalue()


def plot_corruptions(scores: Scores, probe: str = PRIMARY_PROBE) -> bytes | None:
    """From clean (tick) to corrupted (mark) accuracy, a panel a task and a line an encoder.

    Returns:
        A PNG, or None where nothing was corrupted.
    """
    corrupted = [condition for condition in scores.conditions if condition != CLEAN]
    measured = {encoder for encoder, _, read_by, condition in scores.cells if read_by == probe and condition != CLEAN}
    encoders = [encoder for encoder in scores.encoders if encoder in measured]
    if not corrupted or not encoders:
        return None
    offsets = _dodge(len(encoders), 0.7)
    height = 1.8 + len(corrupted) * (0.35 + 0.17 * len(encoders))
    with _figure(len(scores.tasks), height) as (figure, axes, png):
        for axis, task in zip(axes, scores.tasks, strict=True):
            for encoder, offset in zip(encoders, offsets, strict=True):
                colour, marker, _ = _encoder_style(scores, encoder)
                clean = scores.get(encoder, task, probe)
                for row, condition in enumerate(corrupted):
                    score = scores.get(encoder, task, probe, condition)
                    if score is None:
                        continue
                    _draw_score(axis, score, row + offset, colour, marker)
                    if clean is not None:
                        ends = [100 * clean.mean, 100 * score.mean]
                        axis.plot(ends, [row + offset] * 2, color=colour, linewidth=1.2, alpha=0.7)
                        axis.plot(ends[0], row + offset, marker="|", markersize=9, color=colour)
            _finish_panel(axis, condition_titles(corrupted), task, scores)
        handles = []
        for encoder in encoders:
            colour, marker, _ = _encoder_style(scores, encoder)
            handles.append(Line2D([], [], color=colour, marker=marker, label=_row_label(scores, encoder)))
        handles.append(Line2D([], [], color="black", marker="|", markersize=9, linestyle="", label="clean"))
        handles += _common_handles(scores)
        figure.legend(handles=handles, loc="outside lower center", ncols=min(4, len(handles)))
    return png.getvalue()


def plot_training(curves: Sequence[TrainingCurve]) -> bytes | None:
    """Logged quantities over optimizer steps, a panel each: running mean over the raw values, one line a run.

    Returns:
        A PNG, or None without curves.
    """
    panels = list(dict.fromkeys(name for curve in curves for name in curve.series))
    if not panels:
        return None
    labels = list(dict.fromkeys(curve.label for curve in curves))
    styles = {label: numbered_style(position) for position, label in enumerate(labels)}
    with _figure(len(panels), 3.6, share=False) as (figure, axes, png):
        for axis, name in zip(axes, panels, strict=True):
            for curve in curves:
                if name in curve.series:
                    colour, _, line = styles[curve.label]
                    scalars = curve.series[name]
                    axis.plot(scalars.steps, scalars.values, color=colour, linewidth=0.6, alpha=0.25)
                    axis.plot(scalars.steps, _running_mean(scalars), color=colour, linestyle=line, linewidth=1.5)
            axis.set_title(name)
            axis.set_xlabel("optimizer step")
            axis.locator_params(axis="x", nbins=5)
        handles = [Line2D([], [], color=styles[x][0], linestyle=styles[x][2], label=x) for x in labels]
        figure.legend(handles=handles, loc="outside lower center", ncols=min(4, len(handles)))
    return png.getvalue()


@contextmanager
def _figure(panels: int, height: float, share: bool = True) -> Iterator[tuple[Figure, Sequence[Axes], BytesIO]]:
    """Yield a figure with panels side by side and the buffer that holds its PNG afterwards."""
    with styled():
        figure = new_figure(height)
        axes = figure.subplots(1, panels, sharex=share, sharey=share, squeeze=False)[0]
        png = BytesIO()
        yield figure, axes, png
        png.write(to_png(figure))


def _draw_score(axis: Axes, score: Score, height: float, colour: str, marker: str) -> None:
    # A constant predictor is hollow: it has measured nothing.
    face = "white" if score.constant_seeds else colour
    axis.plot(100 * score.mean, height, marker, color=colour, markerfacecolor=face, **_MEAN)
    if len(score.per_seed) > 1:
        seeds = [100 * value for value in score.per_seed.values()]
        below = offset_copy(axis.transData, axis.get_figure(root=True), y=-6.5, units="points")
        axis.plot(seeds, [height] * len(seeds), color=colour, transform=below, zorder=3, **_SEED)


def _finish_panel(axis: Axes, labels: Sequence[str], task: str, scores: Scores) -> None:
    if task in scores.floors:
        axis.axvline(100 * scores.floors[task], **FLOOR)
    axis.set_title(task_title(task))
    axis.set_xlabel("test accuracy, %")
    axis.set_xlim(0, 100)
    axis.set_yticks(range(len(labels)), labels)
    axis.set_ylim(len(labels) - 0.5, -0.5)
    axis.set_xticks(range(0, 101, 25))
    axis.tick_params(axis="y", length=0)
    axis.grid(visible=False, axis="y")
    for row in range(1, len(labels)):
        axis.axhline(row - 0.5, color=FAINT, linewidth=0.6)


def _common_handles(scores: Scores) -> list[Line2D]:
    several = any(len(score.per_seed) > 1 for score in scores.cells.values())
    seeds = [Line2D([], [], color="black", label="one seed", **_SEED)] if several else []
    floor = [Line2D([], [], label="majority-class rate", **FLOOR)] if scores.floors else []
    return seeds + floor


def _row_label(scores: Scores, encoder: Encoder) -> str:
    name = scores.title(encoder)
    twins = [other for other in scores.encoders if other != encoder and scores.title(other) == name]
    return f"{name} ({encoder.weights})" if twins else name


def _dodge(count: int, width: float) -> list[float]:
    return [0.0] if count == 1 else [float(x) for x in np.linspace(-width / 2, width / 2, count)]


def _encoder_style(scores: Scores, encoder: Encoder) -> LineStyle:
    if encoder.is_control:
        return PIXELS_STYLE if encoder.weights == "pixels" else RANDOM_INIT_STYLE
    return numbered_style([other for other in scores.encoders if not other.is_control].index(encoder))


def _running_mean(scalars: Scalars) -> np.ndarray:
    """Centred mean over a twentieth of the values; shorter at the ends."""
    values = np.asarray(scalars.values, dtype=float)
    half = max(0, round(len(values) / 40))
    sums = np.concatenate([[0.0], np.cumsum(values)])
    index = np.arange(len(values))
    low, high = np.maximum(index - half, 0), np.minimum(index + half + 1, len(values))
    return np.asarray((sums[high] - sums[low]) / (high - low))
