"""Accuracy and drift under corruption with intervals over seeds and clips.

S seeds, C clips. K, P: clean and corrupted accuracy of a run, k and p the same clip by clip, m the majority rate.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy import stats

from experiments.report.drawing.heat_map import MEAN
from experiments.report.findings import CONTROLS, Level, Retained, Robustness
from experiments.report.measures import Measure, Measures
from experiments.results import Predictions, read_predictions
from experiments.results.files import PREDICTIONS
from experiments.statistics import BASELINE, VariantKey, crossed_variance
from experiments.statistics.accuracy import data_of
from experiments.statistics.measured import key_of
from vjepa.corruptions import CORRUPTIONS
from vjepa.corruptions import profile as named_profile
from vjepa.metrics import CleanAccuracy

_CONFIDENCE = 0.95
CLEAN = ("none", 0)
Condition = tuple[str, int]
Answers = Mapping[Condition, Mapping[int, np.ndarray]]
"""Condition -> seed -> (C,) whether the probe is right."""


def read_robustness(folders: Iterable[Path], measures: Measures, probe: str, profile: str) -> Robustness:
    """Read the predictions of one probe on the whole representation.

    Args:
        folders: of finished evaluations.
        measures: for majority rates, constant predictors and drift.
        probe: protocol.
        profile: of corruptions; empty where nothing was corrupted.

    Raises:
        UserError: predictions cannot be read.
    """
    if not profile:
        return Robustness({}, {}, {})
    blocks = [
        block
        for folder in folders
        for block in read_predictions(folder / PREDICTIONS, {"subspace": ("whole",), "probe": (probe,)})
    ]
    by_task = _by_task(blocks)
    tasks = dict.fromkeys(task for _, task in by_task)
    retained: dict[tuple[VariantKey, str, str], Retained] = {}
    for task in tasks:
        answers = {key: found for (key, of), found in by_task.items() if of == task}
        retained |= _retained(answers, measures, task, probe, [name for name, _ in _preserving(profile)])
    return Robustness(retained, _accuracies(blocks), _drifts(measures))


def interval(values: np.ndarray) -> Level:
    """Mean of (S, C) values for new seeds and new clips, as statistics put it; no interval for one seed."""
    mean, num_seeds = float(values.mean()), len(values)
    if num_seeds < 2 or values.shape[1] < 2:
        return Level(mean, math.nan, math.nan)
    half = _quantile(num_seeds) * math.sqrt(crossed_variance(values))
    return Level(mean, mean - half, mean + half)


def _quantile(num_seeds: int) -> float:
    return float(stats.t.ppf(0.5 + _CONFIDENCE / 2, num_seeds - 1))


def _preserving(profile: str) -> tuple[Condition, ...]:
    return named_profile(profile).label_preserving


def _by_task(blocks: Iterable[Predictions]) -> dict[tuple[VariantKey, str], dict[Condition, dict[int, np.ndarray]]]:
    found: dict[tuple[VariantKey, str], dict[Condition, dict[int, np.ndarray]]] = {}
    for block in blocks:
        conditions = found.setdefault((key_of(block.stamp), block.benchmark), defaultdict(dict))
        conditions[block.corruption, block.severity].setdefault(block.stamp.seed, block.correct)
    return found


def _retained(
    answers: Mapping[VariantKey, Answers], measures: Measures, task: str, probe: str, names: Sequence[str]
) -> dict[tuple[VariantKey, str, str], Retained]:
    influences = {key: _influences(key, found, measures, task, probe, names) for key, found in answers.items()}
    retained = {}
    for key, by_name in influences.items():
        baseline = None if key in CONTROLS else influences.get(VariantKey(BASELINE, key.reading))
        for name, by_seed in by_name.items():
            value = float(np.mean([values.mean() for values in by_seed.values()]))
            other = (baseline or {}).get(name, {}) if key.variant != BASELINE else {}
            seeds = sorted(by_seed.keys() & other.keys())
            apart = None
            if len(seeds) > 1:
                level = interval(np.stack([by_seed[seed] - other[seed] for seed in seeds]))
                apart = level.low > 0 or level.high < 0
            retained[key, task, name] = Retained(value, apart)
    return retained


def _influences(
    key: VariantKey, answers: Answers, measures: Measures, task: str, probe: str, names: Sequence[str]
) -> dict[str, dict[int, np.ndarray]]:
    """``r + (p - P - r (k - K)) / (K - m)`` of every corruption and seed; its mean over clips is r = (P - m) / (K - m).

    Nothing for a variant of which the clean accuracy of any seed is too near to the majority rate for a ratio.
    """
    floor = measures.mean(key, Measure(task, "majority_rate", probe))
    constant = measures.per_seed(key, Measure(task, "constant_predictor", probe))
    clean = answers.get(CLEAN, {})
    if floor is None or not clean or any(value > 0 for value in constant.values()):
        return {}
    if any(math.isnan(CleanAccuracy(float(k.mean()), floor, len(k)).margin) for k in clean.values()):
        return {}
    found: dict[str, dict[int, np.ndarray]] = {}
    known = {name: [c for c in answers if c[0] == name] for name in dict.fromkeys(names)}
    shown = [name for name, conditions in known.items() if conditions]
    for seed, right in clean.items():
        performances = [_mean_over([answers[c] for c in known[name]], seed) for name in shown]
        if not performances or any(one is None for one in performances):
            continue
        arrays = [one for one in performances if one is not None]
        for name, p in zip([*shown, MEAN], [*arrays, np.mean(arrays, axis=0)], strict=True):
            k = right.astype(np.float64)
            ratio = (p.mean() - floor) / (k.mean() - floor)
            found.setdefault(name, {})[seed] = ratio + (p - p.mean() - ratio * (k - k.mean())) / (k.mean() - floor)
    return found


def _mean_over(conditions: Sequence[Mapping[int, np.ndarray]], seed: int) -> np.ndarray | None:
    """Mean over severities, clip by clip."""
    if any(seed not in by_seed for by_seed in conditions):
        return None
    return np.mean([by_seed[seed] for by_seed in conditions], axis=0)


def _accuracies(blocks: Iterable[Predictions]) -> dict[tuple[VariantKey, str, str, int], Level]:
    """Over all tasks of a data set; a clip of several tasks remains one clip."""
    sums: dict[tuple[VariantKey, str, Condition], dict[int, dict[str, float]]] = {}
    counts: dict[tuple[VariantKey, str, Condition, int], int] = defaultdict(int)
    seen: set[tuple[VariantKey, str, Condition, int]] = set()
    for block in blocks:
        key, condition, seed = key_of(block.stamp), (block.corruption, block.severity), block.stamp.seed
        if (key, block.benchmark, condition, seed) in seen:
            continue
        seen.add((key, block.benchmark, condition, seed))
        place = (key, data_of(block.benchmark), condition)
        clips = sums.setdefault(place, {}).setdefault(seed, {})
        for name, right in zip(block.video_ids, block.correct.tolist(), strict=True):
            clips[name] = clips.get(name, 0.0) + right
        counts[(*place, seed)] += len(block.video_ids)
    levels = {}
    for (key, data, condition), by_seed in sums.items():
        names = sorted(set.intersection(*(set(clips) for clips in by_seed.values())))
        tables = [
            np.array([clips[name] for name in names]) * len(clips) / counts[key, data, condition, seed]
            for seed, clips in by_seed.items()
        ]
        levels[key, data, *condition] = interval(np.stack(tables))
    return _with_clean(levels)


def _drifts(measures: Measures) -> dict[tuple[VariantKey, str, str, int], Level]:
    """Over seeds alone: of clips, only their means are in the rows."""
    levels = {}
    for key, found in measures.values.items():
        for measure, by_seed in found.items():
            if measure.metric == "centred_drift" and measure.subspace == "whole" and measure.corruption in CORRUPTIONS:
                values = np.array(list(by_seed.values()))
                half = math.nan
                if len(values) > 1:
                    half = _quantile(len(values)) * float(values.std(ddof=1)) / math.sqrt(len(values))
                mean = float(values.mean())
                levels[key, measure.benchmark, measure.corruption, measure.severity] = Level(
                    mean, mean - half, mean + half
                )
                # Clean clips have not moved; without a spread of the others there is no interval here either.
                levels[key, measure.benchmark, measure.corruption, 0] = Level(0.0, 0.0 * half, 0.0 * half)
    return _severities_only(levels)


def _with_clean(
    levels: Mapping[tuple[VariantKey, str, str, int], Level],
) -> dict[tuple[VariantKey, str, str, int], Level]:
    """Clean clips become severity 0 of every corruption."""
    found = {at: level for at, level in levels.items() if at[2:] != CLEAN}
    for key, data, name, _ in list(found):
        if (key, data, *CLEAN) in levels:
            found[key, data, name, 0] = levels[key, data, *CLEAN]
    return _severities_only(found)


def _severities_only(
    levels: Mapping[tuple[VariantKey, str, str, int], Level],
) -> dict[tuple[VariantKey, str, str, int], Level]:
    """Corruptions without severities have no curve."""
    most: dict[str, int] = defaultdict(int)
    for _, _, name, severity in levels:
        most[name] = max(most[name], severity)
    return {at: level for at, level in levels.items() if most[at[2]] > 0}
