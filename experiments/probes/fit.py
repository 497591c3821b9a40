"""Fit a probe once on clean features; apply it to any."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from experiments.evaluation.encoded import Encoded
from experiments.evaluation.features.token_source import TokenSource
from experiments.probes.attentive import AttentiveProbe, AttentiveSettings, fit_attentive
from experiments.probes.knn import KnnProbe, KnnSettings, fit_knn
from experiments.probes.labelled import Labelled, predict
from experiments.probes.linear import LinearProbe, LinearSettings, fit_linear
from experiments.probes.protocols import ProbeProtocol
from experiments.probes.study import StudyProbe, StudySettings, fit_study
from vjepa.errors import UserError
from vjepa.metrics import classification_metrics

Probe = LinearProbe | AttentiveProbe | KnnProbe | StudyProbe

_FITS: dict[type, Callable[..., Probe]] = {
    LinearSettings: fit_linear,
    AttentiveSettings: fit_attentive,
    KnnSettings: fit_knn,
    StudySettings: fit_study,
}


@dataclass(frozen=True, eq=False)
class FittedProbe:
    """A probe fitted for one task on one part of one encoder.

    Args:
        protocol: what was fitted.
        probe: the fitted weights.
        view: name of the part of the representation that it reads.
        column: column of the labels.
        num_classes: C.
        num_train, num_val: labelled clips used.
        val_top1: accuracy on validation, by which its settings were chosen where anything is chosen.
    """

    protocol: ProbeProtocol
    probe: Probe
    view: str
    column: int
    num_classes: int
    num_train: int
    num_val: int
    val_top1: float

    @property
    def choice(self) -> str:
        """What validation chose, in words."""
        return self.probe.choice

    def logits(self, encoded: Encoded) -> Tensor:
        """Classify a batch.

        Args:
            encoded: B clips, cut to the probe's view, with all that the protocol reads.

        Returns:
            (B, C) float32 on the CPU.

        Raises:
            UserError: the clips have another number of features than those it was fitted on.
        """
        if self.protocol.reads == "tokens":
            device, width = encoded.tokens.device, encoded.tokens.shape[-1]
        else:
            device, (_, steps, channels) = encoded.time.device, encoded.time.shape
            width = steps * channels if self.protocol.reads == "time" else channels
        if width != self.probe.width:
            raise UserError(
                f"probe {self.protocol.name} of {self.view} reads {self.probe.width} features a clip, and was given "
                f"{width}: it was fitted on another encoder, other clips or another part"
            )
        with torch.autocast(device.type, enabled=False):
            return self.probe.logits(encoded)


def fit_probe(
    protocol: ProbeProtocol,
    train: TokenSource,
    val: TokenSource,
    column: int,
    num_classes: int,
    device: torch.device | str = "cpu",
) -> FittedProbe:
    """Fit one probe for one task; only clips that have a label for the task are used.

    The global random state is neither used nor changed, and gradients may be off around the call. Processes that are
    given equal features get equal probes.

    Args:
        protocol: probe and settings.
        train: clean features to fit on; the name of its view becomes that of the probe.
        val: clean features to choose settings on, of the same view.
        column: the task's column of the labels.
        num_classes: C.
        device: to fit on.

    Raises:
        UserError: a split has no clip with a label for the task, or a label outside the classes; features that are not
            finite, or that the protocol cannot read.
    """
    parts = [
        _labelled(protocol, split, source, column, num_classes) for split, source in (("train", train), ("val", val))
    ]
    device = torch.device(device)
    with torch.inference_mode(False), torch.enable_grad(), torch.autocast(device.type, enabled=False):
        probe = _FITS[type(protocol.settings)](protocol.settings, *parts, num_classes, device)
        predicted = predict(probe.logits, protocol.reads, parts[1].source).argmax(1)
    correct = predicted == parts[1].labels
    num_train, num_val = (len(part.labels) for part in parts)
    return FittedProbe(
        protocol, probe, train.view.name, column, num_classes, num_train, num_val, float(correct.double().mean())
    )


def _labelled(protocol: ProbeProtocol, split: str, source: TokenSource, column: int, num_classes: int) -> Labelled:
    labelled = source.of_task(column)
    if not len(labelled):
        raise UserError(f"probe {protocol.name}: no {split} clip has a label for task column {column}; use more clips")
    labels = labelled.labels[:, column]
    if int(labels.max()) >= num_classes:
        raise UserError(
            f"probe {protocol.name}: {split} label {int(labels.max())} in task column {column}, "
            f"but the task has {num_classes} classes"
        )
    return Labelled(labelled, labels)


def evaluate(fitted: FittedProbe, source: TokenSource) -> dict[str, float]:
    """Score a fitted probe on the labelled clips of its part of a source; names as in ``classification_metrics``.

    Raises:
        UserError: no clip has a label.
    """
    labelled = source.of_task(fitted.column)
    if not len(labelled):
        raise UserError(f"probe {fitted.protocol.name}: no clip has a label for task column {fitted.column}")
    logits = predict(fitted.logits, fitted.protocol.reads, labelled)
    return classification_metrics(logits, labelled.labels[:, fitted.column])
