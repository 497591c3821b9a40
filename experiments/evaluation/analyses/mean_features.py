"""Mean features of a subspace under each condition: channels of the representation, or directions in it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from experiments.evaluation.analyses.base import Found
from experiments.evaluation.conditions import CLEAN, Condition
from experiments.evaluation.subjects import Subject
from experiments.evaluation.views import View
from vjepa.metrics import pca_basis

FeatureReader = Callable[[Condition], Tensor]
"""From a condition to features (n, d) float32, where the encoder is."""


def of_view(subject: Subject, found: Found, view: View) -> FeatureReader:
    """Features of some channels."""
    device = _device(subject)
    return lambda condition: view.select(found.mean(condition)).to(device)


def of_principal_directions(subject: Subject, found: Found) -> FeatureReader:
    """Features along the principal directions of the clean ones, by falling variance: (n, C), centred."""
    device = _device(subject)
    mean, basis = pca_basis(found.mean(CLEAN).to(device))

    def read(condition: Condition) -> Tensor:
        features = found.mean(condition).to(device)
        return (features - mean.to(features.dtype)) @ basis.to(features.dtype)

    return read


def part_of(read: FeatureReader, view: View) -> FeatureReader:
    """Some of the channels that another reader gives."""
    return lambda condition: view.select(read(condition))


def _device(subject: Subject) -> torch.device:
    weights = next(subject.encoder.parameters(), None) if isinstance(subject.encoder, nn.Module) else None
    return torch.device("cpu") if weights is None else weights.device
