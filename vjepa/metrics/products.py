"""What many metrics need of one set of features, made in two passes: mean, distances to it, and the Gram matrix."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vjepa.metrics.moments import CHUNK, RESOLUTION, mean_feature, row_chunks, smaller_gram


@dataclass(frozen=True)
class Products:
    """Of n features of width d, in double precision.

    Args:
        mean: (d,).
        squares: (n,) squared distances to the mean.
        along: (n,) products of the centred features with the mean.
        gram: the smaller of the centred X'X (d, d) and XX' (n, n); both have one Frobenius norm, and one trace.
    """

    mean: Tensor
    squares: Tensor
    along: Tensor
    gram: Tensor

    @classmethod
    @torch.no_grad()
    def of(cls, features: Tensor, chunk: int = CHUNK) -> Products:
        """Of (n, d) features, ``chunk`` rows at a time."""
        mean = mean_feature(features, chunk)
        found = []
        for (rows,) in row_chunks(features, chunk=chunk):
            centred = rows - mean
            found.append(torch.stack([centred.square().sum(1), centred @ mean]))
        squares, along = torch.cat(found, dim=1)
        return cls(mean, squares, along, smaller_gram(features, mean, chunk))

    @property
    def spread(self) -> Tensor:
        """As ``vjepa.metrics.spread``, 0-d."""
        found = self.squares.mean().sqrt()
        return torch.where(found > RESOLUTION * self.mean.norm(), found, 0.0)

    @property
    def uncentred_gram(self) -> Tensor:
        """The smaller of X'X and XX' of the features as they are."""
        if len(self.gram) == len(self.mean):
            return self.gram + len(self.squares) * self.mean.outer(self.mean)
        return self.gram + self.along + self.along[:, None] + self.mean.square().sum()
