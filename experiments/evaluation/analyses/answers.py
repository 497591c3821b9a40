"""What a fitted probe answers under each condition, on the clips that its task applies to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from torch import Tensor

from experiments.evaluation.analyses.base import Found
from experiments.evaluation.analyses.rows import Options, RowMaker, probe_rows
from experiments.evaluation.conditions import CLEAN, Condition
from experiments.evaluation.subjects import Subject
from experiments.probes import FittedProbe
from experiments.results import Predictions
from vjepa.metrics import CleanAccuracy, classification_metrics


@dataclass(frozen=True)
class Answers:
    """One probe of one subject.

    Args:
        number: of the probe among the subject's.
        fitted: the probe.
        rows: makes its rows.
        found: everything collected about the subject, n clips.
        applies: (n,) bool, clips that have a label for the task: m of them, at least one.
    """

    number: int
    fitted: FittedProbe
    rows: RowMaker
    found: Found
    applies: Tensor

    @cached_property
    def labels(self) -> Tensor:
        """(m,) int64."""
        return self.found.labels[self.applies, self.fitted.column]

    def logits(self, condition: Condition = CLEAN) -> Tensor:
        """(m, C) float32."""
        return self.found.logits(self.number, condition)[self.applies]

    def top1(self, condition: Condition) -> float:
        """Accuracy in [0, 1]."""
        return self.accuracy(self.logits(condition))

    def accuracy(self, logits: Tensor) -> float:
        """Share of the clips that logits (m, C) are right about."""
        return (logits.argmax(1) == self.labels).double().mean().item()

    @cached_property
    def clean_scores(self) -> dict[str, float]:
        """All metrics on clean clips."""
        return classification_metrics(self.logits(), self.labels)

    @property
    def clean(self) -> CleanAccuracy:
        """The accuracy that there is to lose."""
        scores = self.clean_scores
        return CleanAccuracy(scores["top1"], scores["majority_rate"], len(self.labels))

    @property
    def is_constant(self) -> bool:
        """Whether clean clips nearly all get the same answer; then no ratio of accuracies means anything."""
        return bool(self.clean_scores["constant_predictor"])

    def block(self, condition: Condition, logits: Tensor | None = None, subspace: str | None = None) -> Predictions:
        """What was answered clip by clip.

        Args:
            condition: under which the clips were shown.
            logits: (m, C); None: those of the condition.
            subspace: name in place of the probe's own view.
        """
        said = self.logits(condition) if logits is None else logits
        names = self.found.video_ids
        return Predictions(
            stamp=self.rows.stamp,
            benchmark=self.rows.benchmark,
            probe=self.rows.probe,
            subspace=subspace or self.rows.subspace,
            corruption=condition[0],
            severity=condition[1],
            index=self.found.index[self.applies].numpy(),
            video_ids=tuple(names[position] for position in np.flatnonzero(self.applies.numpy())),
            labels=self.labels.numpy(),
            predictions=said.argmax(1).numpy(),
            log_probs=said.log_softmax(1).gather(1, self.labels[:, None])[:, 0].numpy(),
        )

    def named(self, subspace: str) -> RowMaker:
        """Rows of the same probe under the name of another subspace."""
        return replace(self.rows, subspace=subspace)


def answers_of(
    subject: Subject, probes: Sequence[FittedProbe], found: Found, options: Options | None = None
) -> list[Answers]:
    """All probes whose task applies to a clip at all."""
    answers = []
    for number, fitted in enumerate(probes):
        applies = found.labels[:, fitted.column] >= 0
        if bool(applies.any()):
            answers.append(Answers(number, fitted, probe_rows(subject, fitted, found, options), found, applies))
    return answers
