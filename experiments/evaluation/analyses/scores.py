"""Scores of a probe under one condition, beside what it answered on clean clips."""

from __future__ import annotations

from experiments.evaluation.analyses.answers import Answers
from experiments.evaluation.conditions import Condition
from vjepa.metrics import classification_metrics, flips

SHOWN = (
    "top1",
    "top5",
    "log_loss",
    "ece",
    "prediction_entropy",
    "top_prediction_share",
    "constant_predictor",
)


def condition_scores(answers: Answers, condition: Condition) -> dict[str, float]:
    """By metric: those of ``SHOWN``, ``flip_rate``, and ``flips_both_wrong`` (from one wrong class to another)."""
    logits = answers.logits(condition)
    scores = classification_metrics(logits, answers.labels)
    changed = flips(answers.logits().argmax(1), logits.argmax(1), answers.labels)
    kept = {name: scores[name] for name in SHOWN}
    return kept | {"flip_rate": changed.rate, "flips_both_wrong": changed.both_wrong}
