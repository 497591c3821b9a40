"""Degradation curves: a quantity over severity, a panel a corruption."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from experiments.report.drawing.highlights import keys_with_control, picked_out
from experiments.report.drawing.shared import SOFT
from experiments.report.findings import TITLES, Findings, Level
from experiments.report.panels import grid_columns, legend_below, panel_grid
from experiments.report.style import RANDOM_INIT_STYLE, LineStyle, new_figure, numbered_style
from experiments.report.wording import spoken
from experiments.statistics import VariantKey
from vjepa.corruptions import CORRUPTIONS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Levels = Mapping[tuple[VariantKey, str, str, int], Level]
_OTHERS: dict[str, Any] = {"color": "#b5b5b5", "linewidth": 0.6, "zorder": 1}
_GROUPS = ("spatial", "temporal", "codec", "order")


def draw_curves(
    findings: Findings, levels: Levels, data: str, reading: str, label: str, *, scale: float = 1.0
) -> Figure | None:
    """A few variants with bands, all others of the reading as thin grey lines, random init dotted.

    Args:
        findings: of an ablation.
        levels: by (key, data set, corruption, severity).
        data: data set to show.
        reading: whose variants.
        label: of the vertical axis.
        scale: of values.

    Returns:
        None where nothing was corrupted.
    """
    chosen = picked_out(findings, reading)
    shown = keys_with_control(chosen)
    keys = {*(c.key for c in findings.of_reading(reading)), *shown}
    mine = {at[:1] + at[2:]: level for at, level in levels.items() if at[1] == data and at[0] in keys}
    names = _names(mine)
    if not names:
        return None
    columns = grid_columns(len(names))
    rows = -(-len(names) // columns)
    figure = new_figure(1.3 + 2.0 * rows)
    axes = panel_grid(figure, len(names), columns)
    styles: dict[VariantKey, LineStyle] = {c.key: numbered_style(place) for place, c in enumerate(chosen)}
    styles[shown[-1]] = RANDOM_INIT_STYLE
    for axis, name in zip(axes, names, strict=True):
        for key in keys:
            line = sorted((severity, lv) for (k, c, severity), lv in mine.items() if k == key and c == name)
            if line:
                _draw(axis, line, styles.get(key), scale)
        group = CORRUPTIONS[name].group
        axis.set_title(f"{spoken(name)}\n", fontsize=10)
        where = "order probe, not in mPC" if group == "order" else group
        axis.text(0.5, 1.03, where, transform=axis.transAxes, ha="center", fontsize=8, color=SOFT)
    ticks = sorted({severity for _, name, severity in mine if name in names})
    axes[0].set_xticks(ticks, ["clean" if tick == 0 else str(tick) for tick in ticks])
    means = [scale * level.mean for (_, name, _), level in mine.items() if name in names]
    room = 0.2 * (max(means) - min(means)) or 1.0
    # Bands of few seeds or clips may be far wider than what separates the lines.
    axes[0].set_ylim(min(means) - room, max(means) + room)
    for axis in axes[-columns:]:
        axis.set_xlabel("severity")
    figure.supylabel(label, fontsize=10)
    handles: list[Line2D | Patch] = []
    for key in shown:
        if any(k == key for k, _, _ in mine):
            colour, marker, dash = styles[key]
            title = TITLES[key] if key in TITLES else f"{findings.by_key[key].number}  {findings.by_key[key].title}"
            handles.append(Line2D([], [], color=colour, marker=marker, linestyle=dash, markersize=5, label=title))
    if len(keys) > len(shown):
        handles.append(Line2D([], [], label="every other variant", **_OTHERS))
    if any(np.isfinite(level.low) for (key, _, _), level in mine.items() if key in styles):
        handles.append(Patch(color="#8c8c8c", alpha=0.3, linewidth=0, label="95 % interval"))
    legend_below(figure, handles)
    return figure


def _names(levels: Iterable[tuple[VariantKey, str, int]]) -> list[str]:
    """Corruptions by group; order probes of one level have no curve."""
    severities: dict[str, set[int]] = {}
    for _, name, severity in levels:
        severities.setdefault(name, set()).add(severity)
    found = [name for name, of in severities.items() if CORRUPTIONS[name].group != "order" or len(of - {0}) > 1]
    return sorted(found, key=lambda name: _GROUPS.index(CORRUPTIONS[name].group))


def _draw(axis: Axes, line: list[tuple[int, Level]], style: LineStyle | None, scale: float) -> None:
    at = [severity for severity, _ in line]
    mean, low, high = (scale * np.array([level[k] for _, level in line]) for k in range(3))
    if style is None:
        axis.plot(at, mean, **_OTHERS)
        return
    colour, marker, dash = style
    axis.plot(at, mean, color=colour, linestyle=dash, marker=marker, markersize=4.5, linewidth=1.4, zorder=3)
    if np.isfinite(low).all():
        axis.fill_between(at, low, high, color=colour, alpha=0.09, linewidth=0, zorder=2)
