"""Whether probes use the order of frames: shuffled, reversed and still clips, kept out of every mean over corruptions.

On classes that differ by direction, such as opening and closing, insensitivity is a defect and not robustness.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from data_modules.annotations.antonyms import antonyms
from experiments.evaluation.analyses.answers import Answers, answers_of
from experiments.evaluation.analyses.base import Analysis, Found, Report
from experiments.evaluation.analyses.rows import Options
from experiments.evaluation.analyses.scores import condition_scores
from experiments.evaluation.conditions import Condition
from experiments.evaluation.subjects import Subject
from experiments.probes import FittedProbe
from experiments.results import Row
from vjepa.corruptions import SEVERITIES, Profile
from vjepa.metrics import antonym_flip_rate, order_sensitivity

SHUFFLE = "local_shuffle"
ORDER = Profile("order", (SHUFFLE, "reverse", "static"), SEVERITIES)
"""The order probes of rob-v1."""
INSIDE: Condition = (SHUFFLE, SEVERITIES[0])
"""Windows of two frames: with tubelets of two frames, the encoder's tokens keep their order."""
FULL: Condition = (SHUFFLE, SEVERITIES[-1])
"""All frames of a clip in random order."""
REVERSE: Condition = ("reverse", 1)


class OrderSensitivity(Analysis):
    """Every probe on clips whose frames are shuffled, reversed, or all the same.

    Args:
        options: of the evaluation, part of the protocol hash.
    """

    name = "order_sensitivity"

    def __init__(self, options: Options | None = None) -> None:
        self.options = options

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return ORDER.conditions

    @property
    def identity(self) -> object:
        return [self.name, ORDER.hash, dict(self.options or {})]

    def report(self, subject: Subject, probes: Sequence[FittedProbe], found: Found) -> Report:
        report = Report()
        for answers in answers_of(subject, probes, found, self.options):
            rows: list[Row] = []
            for condition in self.conditions:
                rows += answers.rows.rows(condition_scores(answers, condition), condition, ORDER.hash)
            rows += [*_sensitivity(answers), *_antonym_flips(answers)]
            blocks = tuple(answers.block(condition) for condition in self.conditions)
            report += Report(tuple(rows), blocks)
        return report


def _sensitivity(answers: Answers) -> list[Row]:
    """``os`` at every window of the shuffle, and the part of the full one that lies between tubelets."""
    found: dict[Condition, float] = {}
    for condition in ORDER.conditions:
        if condition[0] == SHUFFLE:
            value = order_sensitivity(answers.top1(condition), answers.clean)
            found[condition] = math.nan if answers.is_constant else value
    rows = [answers.rows.row("os", value, condition, ORDER.hash) for condition, value in found.items()]
    return [*rows, answers.rows.row("os_between_tubelets", found[FULL] - found[INSIDE], FULL, ORDER.hash)]


def _antonym_flips(answers: Answers) -> list[Row]:
    """Share of the clips that turn into the opposite class in reverse, where the task has such classes."""
    pairs = antonyms(answers.found.dataset.tasks[answers.fitted.column])
    if not pairs:
        return []
    clean, backwards = (logits.argmax(1) for logits in (answers.logits(), answers.logits(REVERSE)))
    share, asked = antonym_flip_rate(clean, backwards, pairs)
    return [answers.rows.row("antonym_flip_rate", share, REVERSE, ORDER.hash, n=asked)]
