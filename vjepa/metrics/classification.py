"""Scores of a probe, always with the guards that expose a constant predictor."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric

from vjepa.metrics.moments import precise

CONSTANT_SHARE = 0.99
"""A probe that gives more than this share of the clips one class is flagged as a constant predictor."""


class ClassificationMetrics(Metric):
    """Top-1, top-5 and macro accuracy, log-loss, calibration, and what the predictions look like.

    All states are sums, so memory does not grow with the clips, the result depends neither on batches nor on ranks, and
    a rank without clips does not hold up the others. Top-1, top-5 and calibration equal torchmetrics'.

    Args:
        num_classes: C >= 2.
        num_bins: equal bins of confidence for the calibration error.

    Raises:
        ValueError: fewer than two classes or no bin.

    Source: macro accuracy is the balanced accuracy of Brodersen et al., ICPR 2010; calibration is Guo et al.,
        arXiv 1706.04599, equation 3.
    Differs: torchmetrics counts a class without clips as a failure as soon as it is predicted once; here only classes
        that occur among the labels enter the macro accuracy.
    """

    is_differentiable = False
    full_state_update = False

    clips: Tensor
    classes: Tensor
    in_top5: Tensor
    loss: Tensor
    calibration: Tensor

    def __init__(self, num_classes: int, num_bins: int = 15, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if num_classes < 2 or num_bins < 1:
            raise ValueError(f"expected 2 classes and 1 bin or more, got {num_classes} and {num_bins}")
        self.num_classes = num_classes
        self.num_bins = num_bins
        self.add_state("clips", torch.zeros(1, dtype=torch.int64), dist_reduce_fx="sum")
        # Per class: labels, predictions, hits.
        self.add_state("classes", torch.zeros(3, num_classes, dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("in_top5", torch.zeros(1, dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("loss", torch.zeros(1, dtype=torch.float64), dist_reduce_fx="sum")
        # Per bin: hits minus confidence. A confidence of exactly 1 has its own bin, as in torchmetrics.
        self.add_state("calibration", torch.zeros(num_bins + 1, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, logits: Tensor, labels: Tensor) -> None:
        """Add a batch.

        Args:
            logits: (B, C).
            labels: (B,) int64 in [0, C); a negative one says that the task does not apply and leaves the clip out.

        Raises:
            ValueError: other shapes, or a label beyond C.
        """
        if logits.ndim != 2 or logits.shape[1] != self.num_classes or labels.shape != logits.shape[:1]:
            found = f"{tuple(logits.shape)} and {tuple(labels.shape)}"
            raise ValueError(f"expected logits (B, {self.num_classes}) and labels (B,), got {found}")
        applies = labels >= 0
        logits, labels = logits.detach()[applies], labels[applies]
        if not len(labels):
            return
        if int(labels.max()) >= self.num_classes:
            raise ValueError(f"label {int(labels.max())} is beyond the {self.num_classes} classes of the probe")
        logits = logits if logits.dtype == torch.float64 else logits.float()
        predicted = logits.argmax(1)
        hit = predicted == labels
        counted = (labels, predicted, labels[hit])
        # Not in place: a sum made in inference mode could not be added to outside of it.
        self.clips = self.clips + len(labels)
        self.classes = self.classes + torch.stack([each.bincount(minlength=self.num_classes) for each in counted])
        self.in_top5 = self.in_top5 + (logits.topk(min(5, self.num_classes)).indices == labels[:, None]).sum()
        self.loss = self.loss - precise(logits).log_softmax(1).gather(1, labels[:, None]).sum()
        confidence = logits.softmax(1).amax(1)
        edges = torch.linspace(0, 1, self.num_bins + 1, device=logits.device)
        # NaN sorts last; it spoils the sum it is added to, which is how it should show.
        bins = torch.bucketize(confidence, edges, right=True) - 1
        members = precise(F.one_hot(bins, len(edges)))
        self.calibration = self.calibration + (precise(hit) - precise(confidence)) @ members

    def compute(self) -> dict[str, Tensor]:
        """Score everything added so far, on all ranks.

        Returns:
            0-d tensors by name, shares in [0, 1]: ``top1``, ``top5`` (among all classes if they are fewer than 5),
            ``macro_accuracy`` (mean over the classes that occur), ``log_loss`` (nats), ``ece``, ``majority_rate`` (of
            the labels), ``prediction_entropy`` (nats, of the predicted classes), ``top_prediction_share``,
            ``constant_predictor`` (0 or 1), and ``num_clips``. All but the last are NaN without clips.
        """
        n = precise(self.clips[0])
        labels, predicted, hits = precise(self.classes)
        shares = predicted / n
        top_share = shares.max()
        occurs = labels > 0
        return {
            "top1": hits.sum() / n,
            "top5": self.in_top5[0] / n,
            "macro_accuracy": (hits[occurs] / labels[occurs]).mean(),
            "log_loss": self.loss[0] / n,
            "ece": self.calibration.abs().sum() / n,
            "majority_rate": labels.max() / n,
            "prediction_entropy": torch.special.entr(shares).sum(),
            "top_prediction_share": top_share,
            "constant_predictor": torch.where(top_share.isnan(), top_share, precise(top_share > CONSTANT_SHARE)),
            "num_clips": n,
        }


def classification_metrics(logits: Tensor, labels: Tensor) -> dict[str, float]:
    """Score all predictions at once, on this process alone.

    Args:
        logits: (n, C), n >= 1.
        labels: (n,) int64 in [0, C).

    Returns:
        As ``ClassificationMetrics.compute``, without ``num_clips``.
    """
    metrics = ClassificationMetrics(logits.shape[1], sync_on_compute=False).to(logits.device)
    metrics.update(logits, labels)
    return {name: float(value) for name, value in metrics.compute().items() if name != "num_clips"}
