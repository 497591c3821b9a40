"""What probes score on clean clips and what corruption takes from it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from experiments.evaluation.analyses.answers import Answers, answers_of
from experiments.evaluation.analyses.base import Analysis, Found, Report
from experiments.evaluation.analyses.order import ORDER
from experiments.evaluation.analyses.rows import Options, averages, chosen_profile
from experiments.evaluation.analyses.scores import condition_scores
from experiments.evaluation.conditions import CLEAN, Condition
from experiments.evaluation.subjects import Subject
from experiments.probes import FittedProbe
from experiments.results import Predictions, Row
from vjepa.corruptions import Profile
from vjepa.metrics import absolute_robustness, corrected_performance, relative_performance, relative_robustness


class CleanAnswers(Analysis):
    """Every probe on clean clips: all scores, and the guards that expose a constant predictor."""

    name = "clean"

    def __init__(self, options: Options | None = None) -> None:
        self.options = options

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return ()

    @property
    def identity(self) -> object:
        return [self.name, dict(self.options or {})]

    def report(self, subject: Subject, probes: Sequence[FittedProbe], found: Found) -> Report:
        return clean_report(answers_of(subject, probes, found, self.options))


class CorruptionRobustness(Analysis):
    """Every probe under every condition of a profile, and the means over it.

    The order probes of rob-v1 that a profile may hold are left to ``OrderSensitivity``. Conditions of other
    corruptions that change the order of frames get rows and enter no mean.

    Args:
        profile: by name.
        clean: report the scores on clean clips too.
        options: of the evaluation, part of the protocol hash.

    Raises:
        UserError: the profile is unknown.
    """

    name = "corruption_robustness"

    def __init__(self, profile: str | Profile, *, clean: bool = True, options: Options | None = None) -> None:
        self.profile = chosen_profile(profile)
        self.clean = clean
        self.options = options

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return tuple(condition for condition in self.profile.conditions if condition[0] not in ORDER.corruptions)

    @property
    def identity(self) -> object:
        return [self.name, self.profile.hash, self.clean, dict(self.options or {})]

    def report(self, subject: Subject, probes: Sequence[FittedProbe], found: Found) -> Report:
        answers = answers_of(subject, probes, found, self.options)
        report = clean_report(answers) if self.clean else Report()
        for each in answers:
            report += self._of_probe(each)
        return report

    def _of_probe(self, answers: Answers) -> Report:
        rows: list[Row] = []
        blocks: list[Predictions] = []
        accuracies: dict[Condition, float] = {}
        for condition in self.conditions:
            scores = condition_scores(answers, condition)
            accuracies[condition] = scores["top1"]
            scores |= _ratios(answers, scores["top1"])
            rows += answers.rows.rows(scores, condition, self.profile.hash)
            blocks.append(answers.block(condition))
        rows += answers.rows.summary(summary_scores(answers, accuracies, self.profile), self.profile)
        return Report(tuple(rows), tuple(blocks))


def clean_report(answers: Sequence[Answers]) -> Report:
    """All scores on clean clips, and what was answered there."""
    rows = [row for each in answers for row in each.rows.rows(each.clean_scores)]
    return Report(tuple(rows), tuple(each.block(CLEAN) for each in answers))


def summary_scores(answers: Answers, accuracies: Mapping[Condition, float], profile: Profile) -> dict[str, float]:
    """mPC over a profile and its groups, rPC and rPC*.

    Args:
        answers: of the probe on clean clips.
        accuracies: under every condition of the profile.
        profile: what was run.

    Returns:
        ``mpc_<profile>``, ``mpc_<group>_<profile>``, ``rpc_<profile>`` and ``rpc_corrected_<profile>``; nothing when
        there are only order probes. Ratios are NaN for a probe that predicts a constant: nothing can damage it.
    """
    means = averages("mpc", accuracies, profile)
    if not means:
        return {}
    mean, clean = means[f"mpc_{profile.name}"], answers.clean
    return means | {
        f"rpc_{profile.name}": _blank_if(answers.is_constant, relative_performance(mean, clean.value)),
        f"rpc_corrected_{profile.name}": _blank_if(answers.is_constant, corrected_performance(mean, clean)),
    }


def _ratios(answers: Answers, accuracy: float) -> dict[str, float]:
    clean, constant = answers.clean.value, answers.is_constant
    return {
        "gamma_a": _blank_if(constant, absolute_robustness(accuracy, clean)),
        "gamma_r": _blank_if(constant, relative_robustness(accuracy, clean)),
    }


def _blank_if(condition: bool, value: float) -> float:
    return math.nan if condition else value
