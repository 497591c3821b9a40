"""L2-regularised multinomial logistic regression on standardised features, strength chosen on validation."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class LinearSettings:
    """How a linear probe sees tokens and is fitted.

    Args:
        pooling: ``time`` means over space and keeps the T time steps apart (T*E features);
            ``mean`` means over all tokens (E features) and cannot see order.
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


@dataclass(frozen=True)
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

    def logits(self, tokens: Tensor) -> Tensor:
        """(n, T, S, E) -> (n, C) float32."""
        features = (pool(tokens, self.settings.pooling) - self.mean) / self.scale
        return F.linear(features, self.weight, self.bias)


def pool(tokens: Tensor, pooling: str) -> Tensor:
    """(n, T, S, E) -> (n, T*E) for ``time`` or (n, E) for ``mean``, float32."""
    over_space = tokens.mean(dim=2, dtype=torch.float32)
    return over_space.flatten(1) if pooling == "time" else over_space.mean(dim=1)


def fit_linear(
    settings: LinearSettings,
    train: tuple[Tensor, Tensor],
    val: tuple[Tensor, Tensor],
    num_classes: int,
) -> LinearProbe:
    """Fit a path from the strongest to the weakest penalty and keep the best on validation.

    Args:
        settings: pooling and penalties.
        train, val: tokens (n, T, S, E) and labels (n,) int64 in [0, num_classes).
        num_classes: C.

    Returns:
        The probe with the highest validation accuracy; of equals, the one with the stronger penalty.
    """
    features = pool(train[0], settings.pooling)
    scale, mean = torch.std_mean(features, dim=0, correction=0)
    # A dimension that never changes says nothing: leave it at zero instead of dividing by zero.
    scale = torch.where(scale > 1e-6 * scale.max().clamp_min(1e-30), scale, torch.ones_like(scale))
    features = (features - mean) / scale
    weight, bias = features.new_zeros(num_classes, features.shape[1]), features.new_zeros(num_classes)
    best, best_accuracy = None, -1.0
    for strength in settings.strengths:
        weight, bias = _minimise(features, train[1], weight, bias, strength, settings)
        probe = LinearProbe(settings, mean, scale, weight, bias, strength)
        accuracy = float((probe.logits(val[0]).argmax(1) == val[1]).double().mean())
        if accuracy > best_accuracy:
            best, best_accuracy = probe, accuracy
    assert best is not None
    return best


def _minimise(
    features: Tensor, labels: Tensor, weight: Tensor, bias: Tensor, strength: float, settings: LinearSettings
) -> tuple[Tensor, Tensor]:
    weight, bias = weight.clone().requires_grad_(), bias.clone().requires_grad_()
    one_hot = F.one_hot(labels, len(bias)).to(features.dtype)
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
        log_probs = F.log_softmax(F.linear(features, weight, bias), dim=1)
        residual = (log_probs.exp() - one_hot) / len(labels)
        weight.grad = torch.addmm(weight, residual.T, features, beta=strength)
        bias.grad = residual.sum(0)
        return F.nll_loss(log_probs, labels) + 0.5 * strength * weight.square().sum()

    solver.step(closure)
    return weight.detach(), bias.detach()
