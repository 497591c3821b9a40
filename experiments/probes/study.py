"""The study's own frozen probes: one learning rate, a fixed number of epochs, judged as they end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from experiments.probes.linear import pool
from vjepa.errors import UserError
from vjepa.nn.study_probe import StudyAttentiveProbe

NUM_HEADS = 8


@dataclass(frozen=True)
class StudySettings:
    """What the study's probe reads and how it is trained.

    AdamW over every parameter alike, no schedule, shuffled batches of which the last may be smaller. Nothing is chosen:
    the weights after the last epoch are kept, so validation clips play no part.

    Args:
        reads: ``tokens``, all of them, or their ``mean``, one vector a clip.
        head: ``attentive`` (see ``StudyAttentiveProbe``) or ``linear``.
        learning_rate, weight_decay: of AdamW.
        num_epochs: passes over the labelled training clips.
        batch_size: clips a step.
        seed: of initial weights and order; the study sets none. The global random state is not used.
    """

    reads: Literal["tokens", "mean"] = "tokens"
    head: Literal["attentive", "linear"] = "attentive"
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    num_epochs: int = 100
    batch_size: int = 16
    seed: int = 0

    def __post_init__(self) -> None:
        if self.reads == "tokens" and self.head == "linear":
            raise ValueError("a linear head reads one vector a clip: set reads to 'mean'")
        if self.num_epochs < 1 or self.batch_size < 1:
            raise ValueError(f"expected at least 1 epoch of 1 clip, got {self.num_epochs} of {self.batch_size}")


@dataclass(frozen=True)
class StudyProbe:
    """A fitted probe of the study, in evaluation mode."""

    settings: StudySettings
    module: nn.Module

    @property
    def choice(self) -> str:
        """Settings, none of which was chosen."""
        rate, epochs = self.settings.learning_rate, self.settings.num_epochs
        return f"learning rate {rate:g}, {epochs} epochs, nothing chosen"

    def logits(self, tokens: Tensor, batch_size: int = 256) -> Tensor:
        """(n, T, S, E) -> (n, C) float32."""
        with torch.inference_mode():
            parts = [self.module(part.float()) for part in inputs(self.settings, tokens).split(batch_size)]
        return torch.cat(parts).clone()


def inputs(settings: StudySettings, tokens: Tensor) -> Tensor:
    """What the head reads of (n, T, S, E): tokens (n, N, E) as stored, or means, (n, 1, E) or (n, E), in float16."""
    if settings.reads == "tokens":
        return tokens.flatten(1, 2)
    mean = pool(tokens, "mean").half()  # as the study stores it
    return mean[:, None] if settings.head == "attentive" else mean


def fit_study(
    settings: StudySettings, train: tuple[Tensor, Tensor], val: tuple[Tensor, Tensor], num_classes: int
) -> StudyProbe:
    """Train one probe.

    Args:
        settings: head and training.
        train: tokens (n, T, S, E) and labels (n,) int64 in [0, num_classes).
        val: not read; every fit has the same form.
        num_classes: C.

    Raises:
        UserError: the tokens do not divide into the study's eight heads.
    """
    features, labels = inputs(settings, train[0]), train[1]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        module = _make_head(settings, features.shape[-1], num_classes)
    generator = torch.Generator().manual_seed(settings.seed)
    optimizer = torch.optim.AdamW(
        module.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )
    for _ in range(settings.num_epochs):
        for chosen in torch.randperm(len(labels), generator=generator).split(settings.batch_size):
            loss = F.cross_entropy(module(features[chosen].float()), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return StudyProbe(settings, module.eval())


def _make_head(settings: StudySettings, width: int, num_classes: int) -> nn.Module:
    if settings.head == "linear":
        return nn.Linear(width, num_classes)
    if width % NUM_HEADS:
        raise UserError(
            f"the study's attentive probe has {NUM_HEADS} heads, which do not divide tokens of width {width}: "
            "use the probe attentive"
        )
    return StudyAttentiveProbe(width, num_classes, NUM_HEADS)
