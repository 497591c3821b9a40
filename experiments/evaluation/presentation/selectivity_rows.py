"""Rows of the subspaces of one evaluation: drift of z_app and z_dyn by group of corruptions, and the index of both."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from experiments.evaluation.analyses.rows import NO_PROBE
from experiments.evaluation.presentation.boards import stamp_of
from experiments.evaluation.presentation.titles import encoder_titles, is_control
from experiments.results import Row, RowStamp
from vjepa.metrics.selectivity import GROUPS, SUBSPACES

LAYOUTS = {"within_level": "within level", "by_level": "by level"}
"""Designed divisions and their titles."""


@dataclass(frozen=True)
class LayoutSelectivity:
    """One division of one encoder.

    Args:
        title, stamp: the encoder.
        layout: name of the division.
        index, p_value: SSI and its p-value; NaN where undefined.
        null_mean, null_p95: of the random divisions behind the p-value.
        drift: mean centred drift by (subspace, group).
        random_drift: least and most of the same among those random divisions; nothing where it is unknown.
        num_clips: n.
    """

    title: str
    stamp: RowStamp
    layout: str
    index: float
    p_value: float
    null_mean: float
    null_p95: float
    drift: Mapping[tuple[str, str], float]
    random_drift: Mapping[tuple[str, str], tuple[float, float]]
    num_clips: int


@dataclass(frozen=True)
class SubspaceBoard:
    """Every designed division of every encoder on one data set, under one profile; runs first, then controls."""

    benchmark: str
    profile: str
    entries: tuple[LayoutSelectivity, ...]

    @property
    def stamps(self) -> tuple[RowStamp, ...]:
        """Encoders, in order."""
        return tuple(dict.fromkeys(entry.stamp for entry in self.entries))


def make_subspace_boards(rows: Iterable[Row]) -> tuple[SubspaceBoard, ...]:
    """Sort the label-free rows of the test split; none of them, no boards."""
    found: dict[tuple[str, str], dict[RowStamp, dict[tuple[str, str], Row]]] = {}
    stamps = dict[RowStamp, None]()
    for row in rows:
        if row.split == "test":
            stamps[stamp_of(row)] = None
            if row.probe == NO_PROBE and row.severity == 0:
                of_stamp = found.setdefault((row.benchmark, row.corruption), {}).setdefault(stamp_of(row), {})
                of_stamp[row.subspace, row.metric] = row
    titles = encoder_titles(stamps)
    boards = []
    for (benchmark, profile), by_stamp in found.items():
        ordered = sorted(by_stamp, key=is_control)
        entries = [
            entry
            for layout in LAYOUTS
            for stamp in ordered
            if (entry := _entry(titles[stamp], stamp, layout, profile, by_stamp[stamp]))
        ]
        if entries:
            boards.append(SubspaceBoard(benchmark, profile, tuple(entries)))
    return tuple(boards)


def _entry(
    title: str, stamp: RowStamp, layout: str, profile: str, rows: Mapping[tuple[str, str], Row]
) -> LayoutSelectivity | None:
    index = rows.get((layout, f"ssi_{profile}"))
    if index is None:
        return None

    def value(metric: str) -> float:
        row = rows.get((layout, f"{metric}_{profile}"))
        return math.nan if row is None else row.value

    def drifts(metric: str) -> dict[tuple[str, str], float]:
        """Of the two halves, ``metric`` with the name of the group in it."""
        return {
            (half, group): row.value
            for half in SUBSPACES
            for group in GROUPS
            if (row := rows.get((f"{layout}.{half}", f"{metric.format(group)}_{profile}")))
        }

    low, high = drifts("drift_centred_{}_null_low"), drifts("drift_centred_{}_null_high")
    return LayoutSelectivity(
        title,
        stamp,
        layout,
        index.value,
        value("ssi_p"),
        value("ssi_null_mean"),
        value("ssi_null_p95"),
        drifts("centred_drift_{}"),
        {cell: (low[cell], high[cell]) for cell in low if cell in high},
        index.n,
    )
