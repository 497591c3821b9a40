"""Double dissociation: does each half's own probe lose to its own kind of corruption and not to the other?

A stable z_app proves nothing by itself, because a term of the loss makes it so: its probe must first be of use.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from experiments.evaluation.analyses.answers import Answers
from experiments.evaluation.analyses.divisions import APP, DYN, Division
from experiments.evaluation.analyses.rows import averages, chosen_profile
from experiments.evaluation.conditions import CLEAN
from experiments.results import Row, RowStamp
from vjepa.corruptions import Profile
from vjepa.errors import UserError
from vjepa.metrics import CleanAccuracy, DoubleDissociation, ProbedSubspace
from vjepa.storage import digest_json

_Key = tuple[str, tuple[object, ...], str, str]
_STAMP = tuple(RowStamp.__dataclass_fields__)


@dataclass(frozen=True)
class _Half:
    """A probe on one half: its row of mPC, and what it scores."""

    row: Row
    probed: ProbedSubspace


def dissociation_of(answers: Sequence[Answers], divisions: Sequence[Division], profile: Profile) -> list[Row]:
    """Chance-corrected losses of every probe on a half, and the interaction of each pair of them.

    Probes of z_app answer tasks of appearance and those of z_dyn temporal tasks, where a data set has both; else both
    answer the same task. ``dissociation_rows`` pairs two data sets.

    Args:
        answers: of all probes of a subject.
        divisions: of the subject.
        profile: what was run; without both spatial and temporal corruption there is nothing to report.

    Returns:
        ``spatial_loss_<profile>`` and ``temporal_loss_<profile>`` of each probe; of each pair what
        ``dissociation_rows`` returns, under the name of the division.
    """
    names = {half.name for division in divisions for half in division.halves}
    of_halves = [each for each in answers if each.fitted.view in names]
    made: list[Row] = []
    for each in of_halves:
        half = _half(_by_metric(_rows_of(each, profile)), profile)
        if half is not None:
            losses = {"spatial_loss": half.probed.spatial_loss, "temporal_loss": half.probed.temporal_loss}
            made += each.rows.summary({f"{name}_{profile.name}": value for name, value in losses.items()}, profile)
    rows = [row for each in of_halves for row in _rows_of(each, profile)]
    return made + [row for one, other in _pairs(of_halves) for row in _paired(rows, one, other, profile)]


def dissociation_rows(rows: Iterable[Row], appearance: str, motion: str, profile: str | Profile) -> list[Row]:
    """Pair z_app's probe on one benchmark with z_dyn's on another, for every encoder that has both.

    Args:
        rows: of ``CorruptionRobustness`` on both benchmarks.
        appearance, motion: benchmarks of the two probes, for example ``imagenet100`` and ``ssv2``.
        profile: what was run on both.

    Returns:
        For each encoder, probe and division ``dissociation_<profile>``, the interaction, and
        ``dissociation_crossed_<profile>``, 1 if both halves lose more to their own kind. n is that of the smaller
        benchmark. NaN without utility of one of the probes.

    Raises:
        UserError: no encoder has both.
    """
    profile = chosen_profile(profile)
    made = _paired(rows, appearance, motion, profile)
    if not made:
        raise UserError(
            f"no encoder has probes of z_app on {appearance} and of z_dyn on {motion} under both spatial and temporal "
            f"corruption of the profile {profile.name}: probe the subspaces, for example within_level.app and "
            "within_level.dyn, on both benchmarks"
        )
    return made


def _rows_of(answers: Answers, profile: Profile) -> list[Row]:
    """The rows that ``CorruptionRobustness`` gives of a probe, as far as they are needed here."""
    accuracies = {condition: answers.top1(condition) for condition in profile.label_preserving}
    return [
        *answers.rows.rows(answers.clean_scores),
        *answers.rows.summary(averages("mpc", accuracies, profile), profile),
    ]


def _pairs(answers: Sequence[Answers]) -> list[tuple[str, str]]:
    """Benchmarks of z_app's and z_dyn's probe."""
    still, moving = (
        dict.fromkeys(
            each.rows.benchmark for each in answers if each.found.dataset.tasks[each.fitted.column].temporal is temporal
        )
        for temporal in (False, True)
    )
    return list(product(still, moving)) if still and moving else [(name, name) for name in {**still, **moving}]


def _paired(rows: Iterable[Row], appearance: str, motion: str, profile: Profile) -> list[Row]:
    ends: dict[_Key, dict[str, list[Row]]] = {}
    for row in rows:
        for suffix, benchmark in ((APP, appearance), (DYN, motion)):
            if row.benchmark == benchmark and row.subspace.endswith(suffix):
                encoder = tuple(getattr(row, name) for name in _STAMP)
                key: _Key = (row.subspace.removesuffix(suffix), encoder, row.split, row.probe)
                ends.setdefault(key, {}).setdefault(suffix, []).append(row)
    made: list[Row] = []
    for key, halves in ends.items():
        app, dyn = (_half(_by_metric(halves.get(suffix, [])), profile) for suffix in (APP, DYN))
        if app is not None and dyn is not None:
            made += _interaction(app, dyn, key[0], profile)
    return made


def _by_metric(rows: Iterable[Row]) -> dict[str, Row]:
    """Rows of clean clips and of whole profiles."""
    return {row.metric: row for row in rows if row.severity == CLEAN[1]}


def _half(found: Mapping[str, Row], profile: Profile) -> _Half | None:
    """None where a row is missing."""
    groups = [f"mpc_{group}_{profile.name}" for group in ("spatial", "temporal")]
    if not {*groups, "top1", "majority_rate", "constant_predictor"} <= found.keys():
        return None
    clean, majority, constant = (found[name].value for name in ("top1", "majority_rate", "constant_predictor"))
    # A constant predictor has no utility, which makes every loss NaN.
    accuracy = CleanAccuracy(majority if constant else clean, majority, found["top1"].n)
    spatial, temporal = (found[name] for name in groups)
    return _Half(spatial, ProbedSubspace(accuracy, spatial.value, temporal.value))


def _interaction(app: _Half, dyn: _Half, division: str, profile: Profile) -> list[Row]:
    one, other = app.row, dyn.row
    both = DoubleDissociation(app.probed, dyn.probed)
    template = replace(
        one,
        benchmark=one.benchmark if one.benchmark == other.benchmark else f"{one.benchmark}+{other.benchmark}",
        subspace=division,
        n=min(one.n, other.n),
        excluded=max(one.excluded, other.excluded),
        protocol_hash=digest_json([one.protocol_hash, other.protocol_hash]),
    )
    crossed = math.nan if both.crossed is None else float(both.crossed)
    values = {"dissociation": both.interaction, "dissociation_crossed": crossed}
    return [replace(template, metric=f"{name}_{profile.name}", value=value) for name, value in values.items()]
