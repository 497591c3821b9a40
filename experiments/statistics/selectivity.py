"""The selectivity index as a mean over clips. n clips."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import get_args

import numpy as np

from experiments.statistics.accuracy import condition_weights
from experiments.statistics.measured import CONTROLS, Measured, key_of
from experiments.statistics.reading import DIVISIONS, Condition, Evaluated
from experiments.statistics.types import Endpoint, VariantKey
from vjepa.corruptions import CORRUPTIONS, Profile
from vjepa.metrics.selectivity import GROUPS
from vjepa.reading import SWITCHES, Reading

# SSI = log D(dyn, temporal) + log D(app, spatial) - log D(app, temporal) - log D(dyn, spatial)
_SIGNS = {("dyn", "temporal"): 1, ("app", "spatial"): 1, ("app", "temporal"): -1, ("dyn", "spatial"): -1}

_Run = tuple[VariantKey, int, str, str]


def selectivities(evaluated: Iterable[Evaluated], profile: Profile) -> Iterator[Measured]:
    """SSI of every run on every data set, by the division that its reading trains; of controls, by both.

    A run that lacks a condition of the profile has none.
    """
    drifts: dict[_Run, dict[tuple[str, Condition], np.ndarray]] = {}
    clips: dict[_Run, tuple[Path, tuple[str, ...]]] = {}
    for one in evaluated:
        here: dict[_Run, dict[tuple[str, Condition], np.ndarray]] = {}
        for block in one.drifts:
            division, _, half = block.subspace.partition(".")
            key = key_of(block.stamp)
            if division in divisions_of(key):
                run = (key, block.stamp.seed, block.benchmark, division)
                here.setdefault(run, {})[half, (block.corruption, block.severity)] = block.values
                clips.setdefault(run, (one.folder, block.video_ids))
        for run, found in here.items():
            drifts.setdefault(run, found)
    for run, found in drifts.items():
        key, seed, data, division = run
        values = linearised_index(found, profile.label_preserving)
        if values is not None:
            folder, names = clips[run]
            yield Measured(Endpoint("SSI", data, division, "nats", "primary"), key, seed, folder, names, values)


def divisions_of(key: VariantKey) -> tuple[str, ...]:
    """Divisions by which the index of a variant is taken."""
    if key in CONTROLS:
        return DIVISIONS
    return (getattr(SWITCHES["layout"], key.reading),) if key.reading in get_args(Reading) else ()


def linearised_index(
    drifts: Mapping[tuple[str, Condition], np.ndarray], conditions: Sequence[Condition]
) -> np.ndarray | None:
    """A number for each clip whose mean is the index and whose spread is that of the index over clips.

    ``SSI + sum over the four D of +-(drift_i / D - 1)``, with a clip's drift averaged over severities, then over the
    corruptions of a group, and D the mean of that over clips: the index plus its influence function. The centre of the
    clean features, which the drift is taken about, counts as known; it hangs on all clips and hardly on one.

    Args:
        drifts: (n,) by half and condition.
        conditions: that the index is over; of these, the spatial and the temporal ones.

    Returns:
        (n,) float64; None where a group has no corruption, a drift is missing or a half does not drift.

    Source: the delta method; Hampel, The influence curve and its role in robust estimation, JASA 69 (1974).
    """
    found = np.float64(0)
    for group in GROUPS:
        weights = condition_weights([one for one in conditions if CORRUPTIONS[one[0]].group == group])
        for half in ("app", "dyn"):
            if not weights or any((half, condition) not in drifts for condition in weights):
                return None
            parts = [share * drifts[half, condition].astype(np.float64) for condition, share in weights.items()]
            per_clip = np.sum(parts, axis=0)
            mean = per_clip.mean()
            if not mean > 0:  # NaN too
                return None
            found = found + _SIGNS[half, group] * (np.log(mean) + per_clip / mean - 1)
    return np.asarray(found)
