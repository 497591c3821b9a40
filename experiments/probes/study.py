"""The study's own frozen probes: one learning rate, a fixed number of epochs, judged as they end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from experiments.evaluation.encoded import Encoded
from experiments.probes.labelled import Labelled, follow, predict
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


@dataclass(frozen=True, eq=False)
class StudyProbe:
    """A fitted probe of the study, in evaluation mode; it follows what it reads to its device."""

    settings: StudySettings
    module: nn.Module
    width: int

    @property
    def choice(self) -> str:
        """Settings, none of which was chosen."""
        rate, epochs = self.settings.learning_rate, self.settings.num_epochs
        return f"learning rate {rate:g}, {epochs} epochs, nothing chosen"

    def logits(self, encoded: Encoded) -> Tensor:
        """(B, C) float32 on the CPU."""
        features = inputs(self.settings, encoded)
        follow(self.module, features)
        with torch.inference_mode():
            logits: Tensor = self.module(features.float())
        return logits.cpu().clone()

    def state(self) -> tuple[dict[str, Tensor], dict[str, float]]:
        """What ``restore`` needs."""
        return self.module.state_dict(), {"width": self.width}

    @classmethod
    def restore(
        cls, settings: StudySettings, tensors: dict[str, Tensor], facts: dict[str, float], num_classes: int
    ) -> StudyProbe:
        """The probe of a ``state``."""
        width = int(facts["width"])
        module = _make_head(settings, width, num_classes)
        module.load_state_dict(tensors)
        return cls(settings, module.eval(), width)


def inputs(settings: StudySettings, encoded: Encoded) -> Tensor:
    """What the head reads: tokens (B, N, C), or means, (B, 1, C) or (B, C), in float16 as the study stores them."""
    if settings.reads == "tokens":
        return encoded.tokens.flatten(1, 2)
    mean = encoded.mean.half()
    return mean[:, None] if settings.head == "attentive" else mean


def fit_study(
    settings: StudySettings, train: Labelled, val: Labelled, num_classes: int, device: torch.device
) -> StudyProbe:
    """Train one probe.

    Args:
        settings: head and training.
        train: labelled clips.
        val: not read; every fit has the same form.
        num_classes: C.
        device: to train on.

    Raises:
        UserError: the tokens do not divide into the study's eight heads.
    """
    width = train.source.width
    module = _make_head(settings, width, num_classes).to(device)
    generator = torch.Generator().manual_seed(settings.seed)
    labels = train.labels.to(device)
    optimizer = torch.optim.AdamW(
        module.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )
    order = [
        chosen
        for _ in range(settings.num_epochs)
        for chosen in torch.randperm(len(labels), generator=generator).split(settings.batch_size)
    ]
    for chosen, features in zip(order, _batches(settings, train, order), strict=True):
        loss = F.cross_entropy(module(features.to(device).float()), labels[chosen.to(device)])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return StudyProbe(settings, module.eval(), width)


def _batches(settings: StudySettings, train: Labelled, order: Sequence[Tensor]) -> Iterator[Tensor]:
    if settings.reads == "tokens":
        return (tokens.flatten(1, 2) for tokens in train.source.stream(order))
    means = predict(lambda encoded: inputs(settings, encoded), "mean", train.source)
    return (means[chosen] for chosen in order)


def _make_head(settings: StudySettings, width: int, num_classes: int) -> nn.Module:
    if settings.head == "attentive" and width % NUM_HEADS:
        raise UserError(
            f"the study's attentive probe has {NUM_HEADS} heads, which do not divide tokens of width {width}: "
            "use the probe attentive"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        if settings.head == "linear":
            return nn.Linear(width, num_classes)
        return StudyAttentiveProbe(width, num_classes, NUM_HEADS)
