"""The attentive probe: several learning rates and weight decays trained at once, one chosen on validation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from experiments.evaluation.encoded import Encoded
from experiments.evaluation.features.token_source import TokenSource
from experiments.probes.labelled import Labelled, Reads, follow, predict
from vjepa.errors import UserError
from vjepa.nn.attentive import AttentiveProbes

MEMORY_LIMIT = 2**29
"""Most bytes of normalised tokens that a fit holds."""


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
    members = len(settings.members)
    generator = torch.Generator().manual_seed(settings.seed)
    module = _module(settings, members, train.source.width, num_classes, generator).to(device)
    _train(module, settings, train, generator, device)
    module.eval()
    logits = predict(lambda encoded: _all_logits(module, encoded), "tokens", val.source)  # (n, G, C)
    accuracy = (logits.argmax(-1) == val.labels[:, None]).double().mean(0)
    accuracy[~torch.isfinite(logits).all(-1).all(0)] = -1.0
    if float(accuracy.max()) < 0:
        raise UserError("every learning rate of an attentive probe diverged: are the tokens finite?")
    best = int(torch.nonzero(accuracy == accuracy.max())[0])
    rate, decay = settings.members[best]
    return AttentiveProbe(settings, _member(settings, module, best), rate, decay)


def _train(
    module: AttentiveProbes,
    settings: AttentiveSettings,
    train: Labelled,
    generator: torch.Generator,
    device: torch.device,
) -> None:
    optimizer = member_optimizer(module, settings.members)
    rates = [group["lr"] for group in optimizer.param_groups]
    parameters = list(module.parameters())
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    order = list(islice(_batches(len(train.labels), settings.batch_size, generator), settings.num_steps))
    labels = train.labels.to(device)
    for step, (chosen, tokens) in enumerate(zip(order, _normalised(train.source, order, device), strict=True)):
        logits = module(tokens)  # (G, B, C)
        target = labels[chosen.to(device)].expand(logits.shape[0], -1)
        # Members share nothing, so the gradient of the sum is each member's own gradient.
        loss = F.cross_entropy(logits.flatten(0, 1), target.flatten()) * logits.shape[0]
        # Written over the last ones, which is less traffic than to clear them and add.
        torch._foreach_copy_(gradients, torch.autograd.grad(loss, parameters))
        factor = _schedule(step, settings.num_steps, settings.warmup_ratio)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * factor
        optimizer.step()


def _normalised(source: TokenSource, order: Sequence[Tensor], device: torch.device) -> Iterator[Tensor]:
    """What the probes see of each batch of ``order``, (B, N, E) float32 on the device.

    Clips that are used again and again are read and normalised once, where all of them fit.
    """

    def made(tokens: Tensor) -> Tensor:
        return AttentiveProbes.normalise(tokens.to(device).flatten(1, 2))

    if len(source) * source.token_bytes > MEMORY_LIMIT:
        yield from map(made, source.stream(order))
        return
    held = torch.cat([made(source.batch(piece)) for piece in source.pieces(source.token_bytes)])
    for chosen in order:
        yield held[chosen.to(device)]


def _batches(num_clips: int, batch_size: int, generator: torch.Generator) -> Iterator[Tensor]:
    while True:
        yield from torch.randperm(num_clips, generator=generator).split(batch_size)


def member_optimizer(module: AttentiveProbes, members: Sequence[tuple[float, float]]) -> torch.optim.Optimizer:
    """Return AdamW over the members of stacked parameters, each with its own learning rate and weight decay.

    It holds all weights of a member in one piece, and so their gradients, of which those of the module become views:
    gradients must be cleared and written in place. Gains, biases and the query are not decayed.

    Args:
        module: G members.
        members: G pairs of learning rate and weight decay.
    """
    groups: list[dict[str, Any]] = []
    for decayed in (True, False):
        parameters = [parameter for parameter in module.parameters() if (parameter.ndim > 2) == decayed]
        values = torch.cat([parameter.detach().flatten(1) for parameter in parameters], dim=1)
        gradients = torch.zeros_like(values)
        sizes = [parameter[0].numel() for parameter in parameters]
        for parameter, value, gradient in zip(
            parameters, values.split(sizes, dim=1), gradients.split(sizes, dim=1), strict=True
        ):
            parameter.data, parameter.grad = value.view(parameter.shape), gradient.view(parameter.shape)
        for value, gradient, (rate, decay) in zip(values, gradients, members, strict=True):
            piece = nn.Parameter(value)
            piece.grad = gradient
            groups.append({"params": [piece], "lr": rate, "weight_decay": decay if decayed else 0.0})
    return torch.optim.AdamW(groups, fused=True)


def _schedule(step: int, total: int, warmup_ratio: float) -> float:
    warmup = max(1, round(total * warmup_ratio))
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))


def _num_heads(width: int, wished: int) -> int:
    divisors = [heads for heads in range(1, width + 1) if width % heads == 0]
    return min(divisors, key=lambda heads: abs(heads - wished))


def _module(
    settings: AttentiveSettings, members: int, width: int, num_classes: int, generator: torch.Generator
) -> AttentiveProbes:
    heads = _num_heads(width, settings.num_heads)
    return AttentiveProbes(members, width, num_classes, heads, settings.mlp_ratio, generator)


def _member(settings: AttentiveSettings, module: AttentiveProbes, index: int) -> AttentiveProbes:
    width, num_classes = module.head.shape[1:]
    alone = _module(settings, 1, width, num_classes, torch.Generator())
    alone.load_state_dict({name: value[index : index + 1] for name, value in module.state_dict().items()})
    return alone.eval()


def _all_logits(module: AttentiveProbes, encoded: Encoded) -> Tensor:
    """What each member says, (B, G, C) float32 on the CPU."""
    follow(module, encoded.tokens)
    with torch.inference_mode():
        logits: Tensor = module(module.normalise(encoded.tokens.flatten(1, 2)))
    return logits.transpose(0, 1).cpu().clone()
