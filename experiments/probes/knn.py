"""Classification by the nearest clean training clips; nothing is trained."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from experiments.evaluation.encoded import Encoded
from experiments.probes.labelled import Labelled, Reads, pool, predict
from vjepa.metrics import nearest, vote


@dataclass(frozen=True)
class KnnSettings:
    """How neighbours vote.

    Args:
        num_neighbours: most clips that vote; all of them if there are fewer.
        temperature: of the vote, > 0.
    """

    num_neighbours: int = 20
    temperature: float = 0.07

    def __post_init__(self) -> None:
        if self.num_neighbours < 1 or not self.temperature > 0:
            raise ValueError(
                f"expected 1 neighbour or more and a temperature above 0, got {self.num_neighbours} and "
                f"{self.temperature}"
            )

    @property
    def reads(self) -> Reads:
        """The mean over all tokens."""
        return "mean"


@dataclass(frozen=True, eq=False)
class KnnProbe:
    """The clips that vote.

    Args:
        settings: how they vote.
        bank: (m, d) float32, their features.
        labels: (m,) int64, their classes.
        num_classes: C.
    """

    settings: KnnSettings
    bank: Tensor
    labels: Tensor
    num_classes: int

    @property
    def choice(self) -> str:
        """Settings, none of which was chosen."""
        return f"{min(self.settings.num_neighbours, len(self.bank))} neighbours, nothing chosen"

    @property
    def width(self) -> int:
        """Features it reads."""
        return self.bank.shape[1]

    def logits(self, encoded: Encoded) -> Tensor:
        """Logarithms of the shares of the vote, (B, C) float32."""
        found = nearest(
            pool(encoded, self.settings.reads), self.bank, min(self.settings.num_neighbours, len(self.bank))
        )
        return vote(found, self.labels, self.num_classes, self.settings.temperature).float()

    def state(self) -> tuple[dict[str, Tensor], dict[str, float]]:
        """What ``restore`` needs."""
        return {"bank": self.bank, "labels": self.labels}, {}

    @classmethod
    def restore(
        cls, settings: KnnSettings, tensors: dict[str, Tensor], facts: dict[str, float], num_classes: int
    ) -> KnnProbe:
        """The probe of a ``state``."""
        return cls(settings, tensors["bank"], tensors["labels"], num_classes)


def fit_knn(settings: KnnSettings, train: Labelled, val: Labelled, num_classes: int, device: torch.device) -> KnnProbe:
    """Remember the training clips.

    Args:
        settings: how they vote.
        train: clips that vote.
        val: not read; every fit has the same form.
        num_classes: C.
        device: not used.
    """
    bank = predict(lambda encoded: pool(encoded, settings.reads), settings.reads, train.source)
    return KnnProbe(settings, bank, train.labels, num_classes)
