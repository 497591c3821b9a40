"""L2-regularised multinomial logistic regression on standardised features, strength chosen on validation."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from experiments.evaluation.encoded import Encoded
from experiments.probes.labelled import Labelled, Reads, pool
from experiments.probes.standard import Standardised, standardise
from experiments.side_by_side import threads

_SMALL = 2**26
"""Bytes of training features up to which threads wait for each other longer than they work."""


@dataclass(frozen=True)
class LinearSettings:
    """How a linear probe sees tokens and is fitted.

    Args:
        pooling: ``time`` means over space and keeps the T time steps apart (T*C features);
            ``mean`` means over all tokens (C features) and cannot see order.
        strengths: weights of the penalty ``strength/2 * ||W||^2`` beside the mean cross-entropy, strong to
            weak.
        max_iterations: L-BFGS iterations for each strength, started from the previous solution; a weak penalty
            that has not converged by then is judged as it stands.
        tolerance: gradient (largest component) at which a fit is finished.
    """

    pooling: str = "time"
    strengths: tuple[float, ...] = (1.0, 0.1, 0.03, 0.01, 0.003, 0.001)
    max_iterations: int = 40
    tolerance: float = 3e-4

    def __post_init__(self) -> None:
        if self.pooling not in ("time", "mean"):
            raise ValueError(f"pooling must be 'time' or 'mean', got {self.pooling!r}")
        if list(self.strengths) != sorted(self.strengths, reverse=True) or min(self.strengths, default=0) <= 0:
            raise ValueError(f"strengths must be positive and fall from strong to weak, got {self.strengths}")

    @property
    def reads(self) -> Reads:
        """As ``pooling`` says."""
        return "time" if self.pooling == "time" else "mean"


@dataclass(frozen=True, eq=False)
class LinearProbe:
    """A fitted linear probe.

    Args:
        settings: how it was fitted.
        mean, scale: (d,) float32 of the training features.
        weight: (C, d) float32; bias: (C,).
        strength: the chosen penalty.
    """

    settings: LinearSettings
    mean: Tensor
    scale: Tensor
    weight: Tensor
    bias: Tensor
    strength: float

    @property
    def choice(self) -> str:
        """What validation chose, in words."""
        return f"strength {self.strength:g}"

    @property
    def width(self) -> int:
        """Features it reads."""
        return len(self.mean)

    def logits(self, encoded: Encoded) -> Tensor:
        """(B, C) float32 on the CPU."""
        features = (pool(encoded, self.settings.reads) - self.mean) / self.scale
        return F.linear(features, self.weight, self.bias)

    def state(self) -> tuple[dict[str, Tensor], dict[str, float]]:
        """What ``restore`` needs."""
        tensors = {"mean": self.mean, "scale": self.scale, "weight": self.weight, "bias": self.bias}
        return tensors, {"strength": self.strength}

    @classmethod
    def restore(
        cls, settings: LinearSettings, tensors: dict[str, Tensor], facts: dict[str, float], num_classes: int
    ) -> LinearProbe:
        """The probe of a ``state``."""
        return cls(settings, **tensors, strength=facts["strength"])


def fit_linear(
    settings: LinearSettings, train: Labelled, val: Labelled, num_classes: int, device: torch.device
) -> LinearProbe:
    """Fit a path from the strongest to the weakest penalty and keep the best on validation.

    Args:
        settings: pooling and penalties.
        train, val: labelled clips.
        num_classes: C.
        device: to fit on.

    Returns:
        The probe with the highest validation accuracy; of equals, the one with the stronger penalty.

    Raises:
        UserError: features are infinite, NaN, or so large that nothing can be fitted.
    """
    width = train.source.width * (train.source.num_steps if settings.reads == "time" else 1)
    with threads(1) if 4 * len(train.labels) * width <= _SMALL else nullcontext():
        return _fit(settings, train, val, num_classes, device)


def _fit(
    settings: LinearSettings, train: Labelled, val: Labelled, num_classes: int, device: torch.device
) -> LinearProbe:
    reads = settings.reads
    features = standardise(train.source, reads, device)
    judged = Standardised(val.source, reads, features.mean, features.scale, device)
    labels, expected = train.labels.to(device), val.labels.to(device)
    weight = torch.zeros(num_classes, features.width, device=device)
    bias = torch.zeros(num_classes, device=device)
    best: tuple[Tensor, Tensor, float] | None = None
    best_accuracy = -1.0
    for strength in settings.strengths:
        weight, bias = _minimise(features, labels, weight, bias, strength, settings)
        hits = [F.linear(part, weight, bias).argmax(1) == expected[where] for where, part in judged]
        accuracy = float(torch.cat(hits).double().mean())
        if accuracy > best_accuracy:
            best, best_accuracy = (weight, bias, strength), accuracy
    assert best is not None
    weight, bias, strength = best
    return LinearProbe(settings, features.mean.cpu(), features.scale.cpu(), weight.cpu(), bias.cpu(), strength)


def _minimise(
    features: Standardised, labels: Tensor, weight: Tensor, bias: Tensor, strength: float, settings: LinearSettings
) -> tuple[Tensor, Tensor]:
    start = weight, bias
    weight, bias = weight.clone().requires_grad_(), bias.clone().requires_grad_()
    solver = torch.optim.LBFGS(
        [weight, bias],
        max_iter=settings.max_iterations,
        tolerance_grad=settings.tolerance,
        tolerance_change=1e-9,
        history_size=10,
        line_search_fn="strong_wolfe",
    )

    @torch.no_grad()
    def closure() -> Tensor:
        # The gradient is known: (softmax - one hot)'X/n + strength * W; the bias is not penalised.
        loss = 0.5 * strength * weight.square().sum()
        weight.grad, bias.grad = strength * weight, torch.zeros_like(bias)
        for where, part in features:
            log_probs = F.log_softmax(F.linear(part, weight, bias), dim=1)
            residual = (log_probs.exp() - F.one_hot(labels[where], len(bias))) / len(labels)
            weight.grad.addmm_(residual.T, part)
            bias.grad += residual.sum(0)
            loss = loss + F.nll_loss(log_probs, labels[where], reduction="sum") / len(labels)
        return loss

    before = float(closure())
    solver.step(closure)
    after = float(closure())
    # A line search that loses its way in rounding errors must not leave a worse fit than the stronger penalty's.
    return (weight.detach(), bias.detach()) if after <= before else start
