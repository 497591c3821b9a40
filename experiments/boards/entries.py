"""What a board says of one encoder: its settings, its numbers, and its curves over the severity of corruptions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Setting:
    """A column of the table that was chosen.

    Args:
        title: head of the column.
        value: a text is offered as a choice, a number as a range.
    """

    title: str
    value: str | float


@dataclass(frozen=True)
class Metric:
    """A column of the table that was measured.

    Args:
        tag: of the scalar.
        title: head of the column.
        value: finite.
    """

    tag: str
    title: str
    value: float


@dataclass(frozen=True)
class Curve:
    """Accuracy over severity.

    Args:
        tag: of the scalars.
        title: of its chart.
        points: accuracy in [0, 1] by severity; 0 is clean.
    """

    tag: str
    title: str
    points: Mapping[int, float]


@dataclass(frozen=True)
class Entry:
    """One row of the table: a finished cell, or a control.

    Args:
        name: of the row, which is the name of its run in TensorBoard too.
        settings, metrics, curves: in the order of their columns and charts.
        step: optimizer steps behind the weights.
        seconds: time of the end, in seconds since the epoch.
    """

    name: str
    settings: tuple[Setting, ...]
    metrics: tuple[Metric, ...]
    curves: tuple[Curve, ...] = ()
    step: int = 0
    seconds: float = field(default=0.0, compare=False)
