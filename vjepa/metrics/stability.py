"""All label-free comparisons of one representation with its corrupted versions, sharing what they have in common."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vjepa.metrics.drift import drift_from
from vjepa.metrics.moments import CHUNK, check_features
from vjepa.metrics.neighbours import NUM_NEIGHBOURS, Bank, jaccard, own_is_first
from vjepa.metrics.products import Products
from vjepa.metrics.rank import effective_rank, shared_variance
from vjepa.metrics.similarity import relate


@dataclass(frozen=True)
class Stability:
    """One condition against the clean features; n clips.

    Args:
        drift: (n,) centred cosine drift.
        retrieved: (n,) bool, paired retrieval.
        jaccard: (n,) overlap of neighbours.
        cka: debiased linear CKA.
        rankme, participation_ratio: of the corrupted features.
    """

    drift: Tensor
    retrieved: Tensor
    jaccard: Tensor
    cka: float
    rankme: float
    participation_ratio: float

    def summary(self) -> dict[str, float]:
        """Means over clips and the rest, by metric name."""
        return {
            "centred_drift": self.drift.mean().item(),
            "paired_retrieval": self.retrieved.double().mean().item(),
            "neighbour_jaccard": self.jaccard.mean().item(),
            "cka": self.cka,
            "rankme": self.rankme,
            "participation_ratio": self.participation_ratio,
        }


class StabilityReference:
    """Clean features with everything that does not depend on the corruption.

    Args:
        clean: (n, d), n > k and n >= 4; kept, not copied.
        k: neighbours of the overlap, >= 1.
        chunk: clips at a time.

    Raises:
        ValueError: too few clips.
    """

    def __init__(self, clean: Tensor, k: int = NUM_NEIGHBOURS, chunk: int = CHUNK) -> None:
        check_features(clean, rows=max(4, k + 1))
        self.clean, self.k, self.chunk = clean, k, chunk
        self.products = Products.of(clean, chunk)
        self.bank = Bank(clean, self.products.mean, chunk)
        self.neighbours = self.bank.nearest(clean, k + 1).without_self().index

    @torch.no_grad()
    def compare(self, corrupted: Tensor) -> Stability:
        """Compare with features (n, d) of the same clips, corrupted."""
        check_features(self.clean, corrupted)
        found = self.bank.nearest(corrupted, self.k + 1)
        products = Products.of(corrupted, self.chunk)
        return Stability(
            drift=drift_from(self.clean, corrupted, self.products.mean, self.products.spread, self.chunk),
            retrieved=own_is_first(found),
            jaccard=jaccard(self.neighbours, found.without_self().index),
            cka=relate(self.clean, corrupted, self.products, products, chunk=self.chunk).item(),
            rankme=effective_rank(products.uncentred_gram).item(),
            participation_ratio=shared_variance(products).item(),
        )
