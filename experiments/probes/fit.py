"""Fit a probe once on clean features; apply it to any."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from experiments.features import Features
from experiments.probes.attentive import AttentiveProbe, AttentiveSettings, fit_attentive
from experiments.probes.linear import LinearProbe, LinearSettings, fit_linear
from experiments.probes.metrics import classification_metrics
from experiments.probes.protocols import ProbeProtocol
from experiments.probes.study import StudyProbe, StudySettings, fit_study
from vjepa.errors import UserError

_FITS: dict[type, Callable[..., LinearProbe | AttentiveProbe | StudyProbe]] = {
    LinearSettings: fit_linear,
    AttentiveSettings: fit_attentive,
    StudySettings: fit_study,
}


@dataclass(frozen=True)
class FittedProbe:
    """A probe fitted for one task on one encoder.

    Args:
        protocol: what was fitted.
        probe: the fitted weights.
        column: column of the labels.
        num_classes: C.
        num_train, num_val: labelled clips used.
        val_top1: accuracy on validation, by which its settings were chosen where anything is chosen.
    """

    protocol: ProbeProtocol
    probe: LinearProbe | AttentiveProbe | StudyProbe
    column: int
    num_classes: int
    num_train: int
    num_val: int
    val_top1: float

    def logits(self, tokens: Tensor) -> Tensor:
        """(n, T, S, E) -> (n, C) float32."""
        return self.probe.logits(tokens)


def fit_probe(protocol: ProbeProtocol, train: Features, val: Features, column: int, num_classes: int) -> FittedProbe:
    """Fit one probe for one task; only clips that have a label for the task are used.

    Args:
        protocol: probe and settings.
        train: clean features to fit on.
        val: clean features to choose settings on.
        column: the task's column of the labels.
        num_classes: C.

    Raises:
        UserError: a split has no clip with a label for the task, or a label outside the classes.
    """
    parts = []
    for split, features in (("train", train), ("val", val)):
        labelled = features.of_task(column)
        labels = labelled.labels[:, column]
        if not len(labelled):
            raise UserError(
                f"probe {protocol.name}: no {split} clip has a label for task column {column}; use more clips"
            )
        if int(labels.max()) >= num_classes:
            raise UserError(
                f"probe {protocol.name}: {split} label {int(labels.max())} in task column {column}, "
                f"but the task has {num_classes} classes"
            )
        parts.append((labelled.tokens, labels))
    probe = _FITS[type(protocol.settings)](protocol.settings, parts[0], parts[1], num_classes)
    correct = probe.logits(parts[1][0]).argmax(1) == parts[1][1]
    return FittedProbe(
        protocol,
        probe,
        column,
        num_classes,
        len(parts[0][1]),
        len(parts[1][1]),
        float(correct.double().mean()),
    )


def evaluate(fitted: FittedProbe, features: Features) -> dict[str, float]:
    """Score a fitted probe on the labelled clips of ``features``; names as in ``classification_metrics``."""
    labelled = features.of_task(fitted.column)
    if not len(labelled):
        raise UserError(f"probe {fitted.protocol.name}: no clip has a label for task column {fitted.column}")
    return classification_metrics(fitted.logits(labelled.tokens), labelled.labels[:, fitted.column])
