"""The attentive probe: several learning rates and weight decays trained at once, one chosen on validation."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from experiments.evaluation.encoded import Encoded
from experiments.probes.attentive_training import train_members
from experiments.probes.labelled import Labelled, Reads, follow, predict
from vjepa.errors import UserError
from vjepa.nn.attentive import AttentiveProbes


@dataclass(frozen=True)
class AttentiveSettings:
    """Architecture and training of the attentive probe.

    Args:
        num_heads: wished number of heads; the nearest one that divides the token width is taken.
        mlp_ratio: hidden width of the residual MLP over the token width; 0 leaves it out.
        learning_rates, weight_decays: every pair is trained; of equally good pairs the first is kept.
        num_steps: optimizer steps, whatever the number of clips; each pass over the clips has a new order.
        batch_size: clips a step, the same clips in the same order for every pair.
        warmup_ratio: share of the steps in which the learning rate rises; then it falls as a half cosine.
        seed: of initial weights and order; the global random state is not used.
    """

    num_heads: int = 6
    mlp_ratio: float = 2.0
    learning_rates: tuple[float, ...] = (1e-3, 3e-3, 1e-2)
    weight_decays: tuple[float, ...] = (0.5, 0.05)
    num_steps: int = 800
    batch_size: int = 64
    warmup_ratio: float = 0.1
    seed: int = 0

    @property
    def reads(self) -> Reads:
        """All tokens."""
        return "tokens"

    @property
    def members(self) -> tuple[tuple[float, float], ...]:
        """Every (learning rate, weight decay)."""
        return tuple(product(self.learning_rates, self.weight_decays))


@dataclass(frozen=True, eq=False)
class AttentiveProbe:
    """A fitted attentive probe.

    Args:
        settings: how it was fitted.
        module: one member, in evaluation mode; it follows the tokens to their device.
        learning_rate, weight_decay: the chosen pair.
    """

    settings: AttentiveSettings
    module: AttentiveProbes
    learning_rate: float
    weight_decay: float

    @property
    def choice(self) -> str:
        """What validation chose, in words."""
        return f"learning rate {self.learning_rate:g}, weight decay {self.weight_decay:g}"

    @property
    def width(self) -> int:
        """Channels it reads."""
        return self.module.query.shape[1]

    def logits(self, encoded: Encoded) -> Tensor:
        """(B, C) float32 on the CPU."""
        return _all_logits(self.module, encoded)[:, 0]

    def attention(self, encoded: Encoded) -> Tensor:
        """How much it looks at each token, mean over heads: (B, T, S) float32 on the CPU, sum 1 a clip."""
        follow(self.module, encoded.tokens)
        with torch.inference_mode():
            weights = self.module.attention(self.module.normalise(encoded.tokens.flatten(1, 2)))[0]
        return weights.mean(dim=1).unflatten(1, encoded.tokens.shape[1:3]).cpu().clone()

    def state(self) -> tuple[dict[str, Tensor], dict[str, float]]:
        """What ``restore`` needs."""
        return self.module.state_dict(), {"learning_rate": self.learning_rate, "weight_decay": self.weight_decay}

    @classmethod
    def restore(
        cls, settings: AttentiveSettings, tensors: dict[str, Tensor], facts: dict[str, float], num_classes: int
    ) -> AttentiveProbe:
        """The probe of a ``state``."""
        module = _module(settings, 1, tensors["query"].shape[1], num_classes, torch.Generator())
        module.load_state_dict(tensors)
        return cls(settings, module.eval(), facts["learning_rate"], facts["weight_decay"])


def fit_attentive(
    settings: AttentiveSettings, train: Labelled, val: Labelled, num_classes: int, device: torch.device
) -> AttentiveProbe:
    """Train all pairs of learning rate and weight decay and keep the best on validation after the last step.

    Args:
        settings: architecture and training.
        train, val: labelled clips.
        num_classes: C.
        device: to train on.

    Returns:
        The probe with the highest validation accuracy; of equals, the first pair. A pair that diverged is not chosen.

    Raises:
        UserError: all pairs diverged.
    """
    generator = torch.Generator().manual_seed(settings.seed)
    fresh = _module(settings, len(settings.members), train.source.width, num_classes, generator)
    module = train_members(fresh, settings, train, generator, device).eval()
    logits = predict(lambda encoded: _all_logits(module, encoded), "tokens", val.source)  # (n, G, C)
    accuracy = (logits.argmax(-1) == val.labels[:, None]).double().mean(0)
    accuracy[~torch.isfinite(logits).all(-1).all(0)] = -1.0
    if float(accuracy.max()) < 0:
        raise UserError("every learning rate of an attentive probe diverged: are the tokens finite?")
    best = int(torch.nonzero(accuracy == accuracy.max())[0])
    rate, decay = settings.members[best]
    return AttentiveProbe(settings, module.some(slice(best, best + 1)).eval(), rate, decay)


def _num_heads(width: int, wished: int) -> int:
    divisors = [heads for heads in range(1, width + 1) if width % heads == 0]
    return min(divisors, key=lambda heads: abs(heads - wished))


def _module(
    settings: AttentiveSettings, members: int, width: int, num_classes: int, generator: torch.Generator
) -> AttentiveProbes:
    heads = _num_heads(width, settings.num_heads)
    return AttentiveProbes(members, width, num_classes, heads, settings.mlp_ratio, generator)


def _all_logits(module: AttentiveProbes, encoded: Encoded) -> Tensor:
    """What each member says, (B, G, C) float32 on the CPU."""
    follow(module, encoded.tokens)
    with torch.inference_mode():
        logits: Tensor = module(module.normalise(encoded.tokens.flatten(1, 2)))
    return logits.transpose(0, 1).cpu().clone()
