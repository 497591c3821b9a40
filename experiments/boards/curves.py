"""Accuracy over the severity of corruptions, as curves in which a step is a severity."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import fsum

from experiments.boards.entries import Curve
from experiments.evaluation.analyses.rows import NO_PROBE
from experiments.evaluation.conditions import CLEAN
from experiments.evaluation.views import WHOLE
from experiments.report.scores import PRIMARY_PROBE
from experiments.results import Row
from vjepa.corruptions import CORRUPTIONS
from vjepa.metrics.ratios import ORDER

ALL = "all"


def severity_curves(rows: Iterable[Row]) -> tuple[Curve, ...]:
    """Curves of the test rows of one encoder, the primary probe first, and its groups of corruptions one by one.

    Tags are ``severity/<benchmark>/<probe>/<group>``, the group ``all`` among them. A point is the mean over the
    corruptions that were judged at every severity; order probes are left out.
    """
    accuracy: dict[tuple[str, str], dict[tuple[str, int], float]] = {}
    for row in rows:
        if row.split == "test" and row.subspace == WHOLE and row.probe != NO_PROBE and row.metric == "top1":
            accuracy.setdefault((row.benchmark, row.probe), {})[row.corruption, row.severity] = row.value
    places = sorted(accuracy, key=lambda place: (place[1] != PRIMARY_PROBE, place[1], place[0]))
    return tuple(curve for place in places for curve in _curves(*place, accuracy[place]))


def _curves(benchmark: str, probe: str, accuracy: dict[tuple[str, int], float]) -> Iterator[Curve]:
    judged = {key for key in accuracy if key != CLEAN and CORRUPTIONS[key[0]].group != ORDER}
    groups = sorted({CORRUPTIONS[name].group for name, _ in judged}) if probe == PRIMARY_PROBE else []
    for group in [ALL, *groups]:
        own = {key for key in judged if group in (ALL, CORRUPTIONS[key[0]].group)}
        severities = sorted({severity for _, severity in own})
        names = {name for name, _ in own if all((name, severity) in own for severity in severities)}
        if not names or CLEAN not in accuracy:
            continue
        points = {0: accuracy[CLEAN]}
        points |= {s: fsum(accuracy[name, s] for name in sorted(names)) / len(names) for s in severities}
        what = "all corruptions" if group == ALL else f"{group} corruptions"
        title = f"{benchmark}, {what}, {probe}"
        yield Curve(f"severity/{benchmark}/{probe}/{group}", title, points)
