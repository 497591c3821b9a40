"""Result rows of one encoder as columns of the table, the most important ones first."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from experiments.boards.entries import Metric
from experiments.evaluation.analyses.order import FULL
from experiments.evaluation.analyses.rows import NO_PROBE
from experiments.evaluation.conditions import CLEAN
from experiments.evaluation.views import WHOLE
from experiments.report.scores import PRIMARY_PROBE
from experiments.results import Row

_LAYOUTS = ("within_level", "by_level")
_TITLES = {
    "mpc": "mPC",
    "ssi": "SSI",
    "top1": "accuracy",
    "rpc_corrected": "rPC*",
    "os": "order sensitivity",
    "rankme": "RankMe",
    "centred_drift": "drift",
}
"""Metrics that become columns, in their order; a mean over a profile is named after it in the rows."""


@dataclass(frozen=True)
class _Found:
    """A row that becomes a column.

    Args:
        kind: a key of the titles.
        profile: that the number is a mean over, or nothing.
        row: which it is.
    """

    kind: str
    profile: str
    row: Row


def row_metrics(rows: Iterable[Row]) -> tuple[Metric, ...]:
    """Columns of the test rows of one encoder.

    Tags are ``test/<metric>[_<profile>]/<benchmark>/<probe or division>``. Where a data set has several tasks, their
    mPC together stands beside that of each: every clip counts the same.
    """
    found = [one for row in rows if row.split == "test" and (one := _find(row)) is not None]
    found = sorted([*found, *_all_tasks(found)], key=_rank)
    return tuple(_metric(one) for one in found if math.isfinite(one.row.value))


def _find(row: Row) -> _Found | None:
    condition = (row.corruption, row.severity)
    profile = row.corruption if row.severity == 0 and row.corruption != CLEAN[0] else ""
    kind = row.metric.removesuffix(f"_{profile}") if profile else row.metric
    if kind not in _TITLES or not (profile or condition == (FULL if kind == "os" else CLEAN)):
        return None
    places = _LAYOUTS if kind == "ssi" else (WHOLE,)
    return _Found(kind, profile, row) if row.subspace in places else None


def _all_tasks(found: Sequence[_Found]) -> Iterator[_Found]:
    parts: dict[tuple[str, str, str], list[Row]] = {}
    for one in found:
        data, _, task = one.row.benchmark.partition("/")
        if one.kind == "mpc" and task:
            parts.setdefault((one.profile, data, one.row.probe), []).append(one.row)
    for (profile, data, _), rows in parts.items():
        num_clips = sum(row.n for row in rows)
        mean = math.fsum(row.value * row.n for row in rows) / num_clips
        yield _Found("mpc", profile, _changed(rows[0], f"{data}/all", mean, num_clips))


def _changed(row: Row, benchmark: str, value: float, n: int) -> Row:
    return Row(**{**vars(row), "benchmark": benchmark, "value": value, "n": n})


def _rank(one: _Found) -> tuple[bool, bool, int, str]:
    """Primary endpoints, then other numbers of the primary probe, then those of the others."""
    is_primary = one.kind == "ssi" or (one.kind == "mpc" and one.row.benchmark.endswith("/all"))
    is_other_probe = one.row.probe not in (PRIMARY_PROBE, NO_PROBE)
    return is_other_probe, not is_primary, list(_TITLES).index(one.kind), one.row.benchmark


def _metric(one: _Found) -> Metric:
    row = one.row
    name = f"{one.kind}_{one.profile}" if one.profile else "accuracy" if one.kind == "top1" else one.kind
    by = row.subspace if one.kind == "ssi" else row.probe
    tag = "/".join(["test", name, row.benchmark, *([] if by == NO_PROBE else [by])])
    told = "" if by in (NO_PROBE, PRIMARY_PROBE) else f", {by}"
    title = f"{_TITLES[one.kind]} {row.benchmark}{told}"
    return Metric(tag, title, row.value)
