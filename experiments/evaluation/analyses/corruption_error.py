"""Error under corruption relative to a baseline of this project, paired by seed, benchmark and probe."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from experiments.evaluation.conditions import CLEAN, Condition
from experiments.results import Row
from vjepa.corruptions import PROFILES
from vjepa.errors import UserError
from vjepa.metrics import corruption_errors, mean_corruption_error, relative_mean_corruption_error

_Key = tuple[str, str, str, str, int]


@dataclass
class _Probed:
    """Accuracies of one probe on one encoder."""

    accuracies: dict[Condition, Row] = field(default_factory=dict)
    constant: bool = False
    summaries: dict[str, Row] = field(default_factory=dict)

    def values(self, conditions: Iterable[Condition]) -> dict[Condition, float] | None:
        """By condition, or None if one is missing."""
        found = {key: self.accuracies.get(key) for key in conditions}
        return None if None in found.values() else {key: row.value for key, row in found.items() if row is not None}


def corruption_error_rows(rows: Iterable[Row], baseline_rows: Iterable[Row]) -> list[Row]:
    """Relate the errors of encoders to those of a baseline of the same seed.

    Args:
        rows: of ``CorruptionRobustness``, of any number of encoders.
        baseline_rows: of the baseline, one encoder a seed.

    Returns:
        For each encoder, benchmark, probe, subspace and profile that the baseline has too: ``ce`` of each corruption
        (severity 0), ``mce_vs_baseline`` and ``relative_mce_vs_baseline`` with the profile's name as corruption. 1 is
        the baseline itself; above it is worse. The relative one is NaN where one of the two predicts a constant.

    Raises:
        UserError: the baseline has two encoders of a seed, was judged on other clips or by another protocol, or shares
            nothing with the rows.
    """
    baseline: dict[_Key, _Probed] = {}
    for (_, key), probed in _by_encoder(baseline_rows).items():
        if key in baseline:
            raise UserError(f"the baseline has two encoders of seed {key[-1]} on {key[0]}: give the rows of one")
        baseline[key] = probed
    made: list[Row] = []
    for (_, key), probed in _by_encoder(rows).items():
        if key in baseline:
            made += _relate(probed, baseline[key])
    if not made:
        raise UserError(
            "the baseline shares no benchmark, probe, subspace and seed with the rows under any whole profile: "
            "evaluate both with the same probes, seeds and profile"
        )
    return made


def _by_encoder(rows: Iterable[Row]) -> dict[tuple[tuple[object, ...], _Key], _Probed]:
    found: dict[tuple[tuple[object, ...], _Key], _Probed] = {}
    for row in rows:
        encoder = (row.data, row.regime, row.variant, row.reading, row.layout, row.step, row.weights, row.config_hash)
        key = (row.benchmark, row.split, row.probe, row.subspace, row.seed)
        probed = found.setdefault((encoder, key), _Probed())
        if row.metric == "top1":
            probed.accuracies[row.corruption, row.severity] = row
        elif row.metric == "constant_predictor" and (row.corruption, row.severity) == CLEAN:
            probed.constant = bool(row.value)
        elif row.metric == f"mpc_{row.corruption}" and row.corruption in PROFILES:
            probed.summaries[row.corruption] = row
    return found


def _relate(own: _Probed, other: _Probed) -> list[Row]:
    made: list[Row] = []
    for name, row in own.summaries.items():
        conditions = PROFILES[name].label_preserving
        reference = other.summaries.get(name)
        values, baseline = (probed.values([CLEAN, *conditions]) for probed in (own, other))
        if reference is None or values is None or baseline is None:
            continue
        if (row.n, row.excluded, row.protocol_hash) != (reference.n, reference.excluded, reference.protocol_hash):
            raise UserError(
                f"{row.benchmark}, {row.probe}: {row.variant} was judged on {row.n} clips by protocol "
                f"{row.protocol_hash}, the baseline on {reference.n} by {reference.protocol_hash}: evaluate both alike"
            )
        clean, baseline_clean = values.pop(CLEAN), baseline.pop(CLEAN)
        errors = corruption_errors(values, baseline)
        made += [replace(row, corruption=key, metric="ce", value=error) for key, error in errors.items()]
        relative = relative_mean_corruption_error(values, clean, baseline, baseline_clean)
        summary = {
            "mce_vs_baseline": mean_corruption_error(values, baseline),
            "relative_mce_vs_baseline": math.nan if own.constant or other.constant else relative,
        }
        made += [replace(row, metric=metric, value=value) for metric, value in summary.items()]
    return made
