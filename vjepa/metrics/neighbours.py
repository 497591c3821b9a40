"""Nearest neighbours under corruption: clean features are the bank, corrupted ones ask.

n queries, m features in the bank, d channels. Similarity is the cosine; blocks of ``chunk`` x ``chunk`` are all that
is ever held.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vjepa.metrics.moments import CHUNK, check_features, mean_feature, precise, row_chunks

NUM_NEIGHBOURS = 20


@dataclass(frozen=True)
class Neighbours:
    """The k most similar features of the bank.

    Args:
        index: (n, k) positions in the bank, most similar first.
        similarity: (n, k) cosines.
    """

    index: Tensor
    similarity: Tensor

    def without_self(self) -> Neighbours:
        """Drop each clip's own entry, or the last where it is not among the k: (n, k - 1).

        For queries and a bank of the same clips in the same order.
        """
        own = torch.arange(len(self.index), device=self.index.device)[:, None]
        dropped = self.index == own
        dropped[:, -1] |= ~dropped.any(1)
        shape = (len(self.index), self.index.shape[1] - 1)
        return Neighbours(self.index[~dropped].view(shape), self.similarity[~dropped].view(shape))


class Bank:
    """Features among which the neighbours of many others are looked for.

    Args:
        features: (m, d); kept, not copied, unless they are one block: then their directions are kept too.
        mean: (d,) taken off them and off whatever asks; None compares directions from the origin.
        chunk: rows of each side at a time.
    """

    def __init__(self, features: Tensor, mean: Tensor | None = None, chunk: int = CHUNK) -> None:
        check_features(features)
        self.features, self.mean, self.chunk = features, mean, chunk
        self._directions = _directions(precise(features), mean) if len(features) <= chunk else None

    @torch.no_grad()
    def nearest(self, queries: Tensor, k: int) -> Neighbours:
        """See ``nearest``."""
        check_features(queries)
        if queries.shape[1] != self.features.shape[1] or not 1 <= k <= len(self.features):
            shapes = f"queries {tuple(queries.shape)} and bank {tuple(self.features.shape)}"
            raise ValueError(f"expected equal widths and k in [1, {len(self.features)}], got {shapes} and k={k}")
        found = [self._nearest(rows, k) for (rows,) in row_chunks(queries, chunk=self.chunk)]
        return Neighbours(torch.cat([each.index for each in found]), torch.cat([each.similarity for each in found]))

    def _nearest(self, rows: Tensor, k: int) -> Neighbours:
        rows = _directions(rows, self.mean)
        if self._directions is not None:
            some = (rows @ self._directions.T).topk(k, dim=1)
            return Neighbours(some.indices, some.values)
        best = Neighbours(rows.new_zeros(len(rows), 0, dtype=torch.long), rows.new_zeros(len(rows), 0))
        for start in range(0, len(self.features), self.chunk):
            block = _directions(precise(self.features[start : start + self.chunk]), self.mean)
            found = rows @ block.T
            some = found.topk(min(k, found.shape[1]), dim=1)
            index = torch.cat([best.index, some.indices + start], 1)
            similarity = torch.cat([best.similarity, some.values], 1)
            kept = similarity.topk(min(k, similarity.shape[1]), dim=1)
            best = Neighbours(index.gather(1, kept.indices), kept.values)
        return best


def nearest(queries: Tensor, bank: Tensor, k: int, mean: Tensor | None = None, chunk: int = CHUNK) -> Neighbours:
    """Find the k features of the bank with the largest cosine to each query.

    Args:
        queries: (n, d).
        bank: (m, d) on the same device.
        k: in [1, m].
        mean: (d,) taken off both first; None compares directions from the origin.
        chunk: rows of each at a time.

    Raises:
        ValueError: widths differ, or k is not in [1, m].
    """
    return Bank(bank, mean, chunk).nearest(queries, k)


def paired_retrieval(clean: Tensor, corrupted: Tensor, chunk: int = CHUNK) -> Tensor:
    """Whether the clean feature nearest to the corrupted clip is that clip's own; its mean is R@1.

    Centred by the clean mean, hence free of scale and of a shared mean; needs no labels.

    Args:
        clean, corrupted: (n, d), the same clips.
        chunk: clips at a time.

    Returns:
        (n,) bool; about 1/n of them true for unrelated or constant features.
    """
    check_features(clean, corrupted)
    return own_is_first(nearest(corrupted, clean, 1, mean_feature(clean, chunk), chunk))


def own_is_first(neighbours: Neighbours) -> Tensor:
    """Whether each query's nearest feature is the one at its own position, (n,) bool."""
    return neighbours.index[:, 0] == torch.arange(len(neighbours.index), device=neighbours.index.device)


def neighbour_jaccard(clean: Tensor, corrupted: Tensor, k: int = NUM_NEIGHBOURS, chunk: int = CHUNK) -> Tensor:
    """``|N(z_i) and N(z'_i)| / |N(z_i) or N(z'_i)|``, N the k nearest other clips in the clean bank.

    Args:
        clean, corrupted: (n, d), the same clips, n > k; centred by the clean mean.
        k: neighbours, >= 1.
        chunk: clips at a time.

    Returns:
        (n,) in [0, 1]; for unrelated features about ``k / (2n)``.
    """
    check_features(clean, corrupted)
    mean = mean_feature(clean, chunk)
    one, other = (nearest(queries, clean, k + 1, mean, chunk).without_self() for queries in (clean, corrupted))
    return jaccard(one.index, other.index)


def jaccard(one: Tensor, other: Tensor) -> Tensor:
    """Overlap of two sets of k different indices a row: (n, k) twice to (n,)."""
    k = one.shape[1]
    both = torch.cat([one, other], dim=1).sort(dim=1).values
    shared = (both[:, 1:] == both[:, :-1]).sum(1).double()  # an index that both have stands twice
    return shared / (2 * k - shared)


def _directions(rows: Tensor, mean: Tensor | None) -> Tensor:
    return torch.nn.functional.normalize(rows if mean is None else rows - mean, dim=1, eps=1e-30)
