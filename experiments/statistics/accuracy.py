"""Accuracy and mPC of every run, clip by clip."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.statistics.measured import Measured, key_of
from experiments.statistics.reading import Condition, Evaluated
from experiments.statistics.types import Endpoint, Family, VariantKey
from vjepa.corruptions import Profile

CLEAN: Condition = ("none", 0)


@dataclass(frozen=True)
class _Answers:
    """One probe of one run on one task, n clips."""

    key: VariantKey
    seed: int
    folder: Path
    benchmark: str
    probe: str
    clips: tuple[str, ...]
    correct: Mapping[Condition, np.ndarray]

    @property
    def data(self) -> str:
        return data_of(self.benchmark)


def accuracies(evaluated: Iterable[Evaluated], primary_probe: str) -> Iterator[Measured]:
    """Clean accuracy on every task, by every probe; those of the primary probe form the accuracy family."""
    for one in _answers(evaluated):
        if CLEAN in one.correct:
            family: Family = "accuracy" if one.probe == primary_probe else "descriptive"
            endpoint = Endpoint("accuracy", one.benchmark, one.probe, "points", family)
            yield Measured(endpoint, one.key, one.seed, one.folder, one.clips, one.correct[CLEAN].astype(np.float64))


def mean_performances(evaluated: Iterable[Evaluated], profile: Profile, primary_probe: str) -> Iterator[Measured]:
    """mPC of every data set, which is primary with the primary probe, then of every task.

    ``mPC = mean over clips and tasks of mean over corruptions of mean over severities of (is the probe right?)``. A
    run that lacks a condition of the profile, or a task that others have, has none.
    """
    weights = condition_weights(profile.label_preserving)
    complete = [one for one in _answers(evaluated) if weights.keys() <= one.correct.keys()] if weights else []
    tasks: dict[str, dict[str, None]] = {}
    by_run: dict[tuple[VariantKey, int, str, str], list[_Answers]] = {}
    for one in complete:
        tasks.setdefault(one.data, {})[one.benchmark] = None
        by_run.setdefault((one.key, one.seed, one.data, one.probe), []).append(one)
    for (_, _, data, probe), answers in by_run.items():
        family: Family = "primary" if probe == primary_probe else "descriptive"
        if {one.benchmark for one in answers} == tasks[data].keys():
            yield _over_tasks(Endpoint("mPC", data, probe, "points", family), answers, weights)
        if len(tasks[data]) > 1:
            for one in answers:
                yield _over_tasks(Endpoint("mPC", one.benchmark, probe, "points", "descriptive"), [one], weights)


def condition_weights(conditions: Sequence[Condition]) -> dict[Condition, float]:
    """Share of each condition in a mean over corruptions of means over severities."""
    severities = Counter(name for name, _ in conditions)
    return {condition: 1 / (len(severities) * severities[condition[0]]) for condition in conditions}


def data_of(benchmark: str) -> str:
    """Data set of a task."""
    return benchmark.partition("/")[0]


def _over_tasks(endpoint: Endpoint, answers: Sequence[_Answers], weights: Mapping[Condition, float]) -> Measured:
    """A clip's value is its mean over conditions, summed over its tasks and divided by the tasks of an average clip.

    So a clip of several tasks remains one clip, and the mean over clips is the mean over all answers.
    """
    totals: dict[str, float] = {}
    count = 0
    for one in answers:
        right = np.asarray(sum(weight * one.correct[condition] for condition, weight in weights.items()))
        count += len(right)
        for clip, value in zip(one.clips, right.tolist(), strict=True):
            totals[clip] = totals.get(clip, 0.0) + value
    first = answers[0]
    clips = tuple(sorted(totals)) if len(answers) > 1 else first.clips
    values = np.array([totals[clip] for clip in clips]) * len(clips) / count
    return Measured(endpoint, first.key, first.seed, first.folder, clips, values)


def _answers(evaluated: Iterable[Evaluated]) -> list[_Answers]:
    """Answers of each run, put together over conditions; of a run that was evaluated twice alike, the first."""
    found: dict[tuple[VariantKey, int, str, str], _Answers] = {}
    for one in evaluated:
        here: dict[tuple[VariantKey, int, str, str], dict[Condition, np.ndarray]] = {}
        clips = {}
        for block in one.predictions:
            place = (key_of(block.stamp), block.stamp.seed, block.benchmark, block.probe)
            here.setdefault(place, {})[block.corruption, block.severity] = block.correct
            clips[place] = block.video_ids
        for place, correct in here.items():
            key, seed, benchmark, probe = place
            found.setdefault(place, _Answers(key, seed, one.folder, benchmark, probe, clips[place], correct))
    return list(found.values())
