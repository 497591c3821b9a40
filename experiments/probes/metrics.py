"""Classification metrics of a probe, always with the guards that expose a constant predictor."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_calibration_error

CONSTANT_SHARE = 0.99
"""A probe that gives more than this share of the clips one class is flagged as a constant predictor."""


def classification_metrics(logits: Tensor, labels: Tensor) -> dict[str, float]:
    """Score predictions.

    Args:
        logits: (n, C), n >= 1.
        labels: (n,) int64 in [0, C).

    Returns:
        By name, shares in [0, 1]: ``top1``, ``macro_accuracy`` (mean over the classes that occur),
        ``log_loss`` (nats), ``ece`` (15 bins), ``majority_rate`` (of the labels), ``prediction_entropy`` (nats,
        of the predicted classes), ``top_prediction_share`` and ``constant_predictor`` (0 or 1).
    """
    num_classes = logits.shape[1]
    predicted = logits.argmax(1)
    shares = torch.bincount(predicted, minlength=num_classes).double() / len(labels)
    top_share = float(shares.max())
    counts = torch.bincount(labels, minlength=num_classes)
    return {
        "top1": float(multiclass_accuracy(predicted, labels, num_classes, average="micro")),
        "macro_accuracy": float(multiclass_accuracy(predicted, labels, num_classes, average="macro")),
        "log_loss": float(F.cross_entropy(logits.double(), labels)),
        "ece": float(multiclass_calibration_error(logits.softmax(1), labels, num_classes, n_bins=15)),
        "majority_rate": float(counts.max()) / len(labels),
        "prediction_entropy": float(torch.special.entr(shares).sum()),
        "top_prediction_share": top_share,
        "constant_predictor": float(top_share > CONSTANT_SHARE),
    }
