"""Drift of z_app and z_dyn under spatial and temporal corruptions, their index, and null controls."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.report.drawing.shared import colour_of, frame_rows, looks, mark, numbered, shape_of
from experiments.report.findings import RANDOM_INIT, TITLES, Candidate, Findings
from experiments.report.measures import Measure
from experiments.report.panels import legend_below
from experiments.report.style import RANDOM_INIT_STYLE, new_figure
from experiments.statistics import VariantKey
from vjepa.metrics.selectivity import GROUPS, SUBSPACES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BAND: dict[str, Any] = {"color": "#8c8c8c", "alpha": 0.35, "linewidth": 6, "solid_capstyle": "butt", "zorder": 1}
_SEED: dict[str, Any] = {"marker": "|", "linestyle": "", "markersize": 6, "markeredgewidth": 0.8, "zorder": 2}
_ROW = 0.25


def draw_subspaces(findings: Findings, data: str, reading: str, division: str) -> Figure | None:
    """Four panels of mean centred cosine drift and one of the index; a row a variant, random init last.

    Marks are means over seeds, ticks single seeds. Grey bands are random divisions of equal width. The same division
    of variants that were not factorized is the other control.

    Args:
        findings: of an ablation.
        data: name of the data set.
        reading: whose variants.
        division: of the latent, ``within_level`` or ``by_level``.

    Returns:
        None where nothing was measured.
    """
    index = _index(findings, data, division)
    keys = [c.key for c in findings.of_reading(reading)] + [RANDOM_INIT]
    keys = [key for key in keys if findings.measures.per_seed(key, index["ssi"])]
    if not keys:
        return None
    labels = [TITLES[key] if key in TITLES else numbered(findings.by_key[key]) for key in keys]
    figure = new_figure(1.8 + _ROW * len(keys), 11.0)
    axes = figure.subplots(1, 5, width_ratios=(1, 1, 1, 1, 1.35))
    cells = [(half, group) for group in GROUPS for half in SUBSPACES]
    for axis, (half, group) in zip(axes, cells, strict=False):
        if half != SUBSPACES[0]:
            # One scale for both halves of a group: which of them drifts more is the question.
            axis.sharex(axes[cells.index((SUBSPACES[0], group))])
        for place, key in enumerate(keys):
            _draw_drift(axis, findings, key, place, (data, division, half, group))
        frame_rows(axis, labels, labelled=axis is axes[0])
        axis.set_title(f"z_{half}, {group}", fontsize=10)
        axis.set_xlabel("drift")
        axis.locator_params(axis="x", nbins=4)
    for place, key in enumerate(keys):
        _draw_index(axes[4], findings, key, place, index)
    frame_rows(axes[4], labels, labelled=False)
    axes[4].axvline(0, color="black", linewidth=0.9, zorder=1)
    axes[4].set_title("selectivity index (SSI)", fontsize=10)
    axes[4].set_xlabel("nats")
    handles = looks(findings, with_controls=[RANDOM_INIT])
    handles = [handle for handle in handles if _belongs(findings, reading, str(handle.get_label()))]
    if findings.has_intervals:
        handles.append(mark("black", "|", "one seed"))
    handles.append(Line2D([], [], label="random divisions of equal width", **_BAND))
    legend_below(figure, handles)
    return figure


def _belongs(findings: Findings, reading: str, label: str) -> bool:
    return len(findings.readings) == 1 or "," not in label or label.endswith(reading.replace("_", " "))


def _index(findings: Findings, data: str, division: str) -> dict[str, Measure]:
    names = ("ssi", "ssi_null_mean", "ssi_null_p95", "ssi_p")
    profile = findings.profile
    return {name: Measure(data, f"{name}_{profile}", subspace=division, corruption=profile) for name in names}


def _draw_drift(axis: Axes, findings: Findings, key: VariantKey, row: int, cell: tuple[str, str, str, str]) -> None:
    data, division, half, group = cell
    metric = f"centred_drift_{group}_{findings.profile}"

    def at(subspace: str) -> Measure:
        return Measure(data, metric, subspace=f"{subspace}.{half}", corruption=findings.profile)

    of_key = findings.measures.values.get(key, {})
    random = [m for m in of_key if m.metric == metric and m.subspace.startswith("random") and m.benchmark == data]
    null = [fmean(of_key[m].values()) for m in random if m.subspace.endswith(f".{half}")]
    if null:
        axis.plot([min(null), max(null)], [row, row], **_BAND)
    _draw_seeds(axis, findings, key, row, list(findings.measures.per_seed(key, at(division)).values()))


def _draw_index(axis: Axes, findings: Findings, key: VariantKey, row: int, index: dict[str, Measure]) -> None:
    low, high = (findings.measures.mean(key, index[name]) for name in ("ssi_null_mean", "ssi_null_p95"))
    if low is not None and high is not None:
        axis.plot([low, high], [row, row], **_BAND)
    values = list(findings.measures.per_seed(key, index["ssi"]).values())
    _draw_seeds(axis, findings, key, row, values)
    text = f"{round(fmean(values), 2) + 0.0:+.2f}".replace("-", "\u2212")
    axis.annotate(
        text, (1.0, row), xycoords=("axes fraction", "data"), xytext=(4, 0), textcoords="offset points", va="center",
        fontsize=8, annotation_clip=False,
    )  # fmt: skip


def _draw_seeds(axis: Axes, findings: Findings, key: VariantKey, row: int, values: Sequence[float]) -> None:
    if not values:
        return
    candidate: Candidate | None = findings.by_key.get(key)
    if candidate is None:
        colour, shape, _ = RANDOM_INIT_STYLE
    else:
        colour, shape = colour_of(candidate), shape_of(findings, candidate)
    if len(values) > 1:
        axis.plot(values, [row] * len(values), color=colour, **_SEED)
    axis.plot(fmean(values), row, marker=shape, color=colour, markersize=6, zorder=3)
