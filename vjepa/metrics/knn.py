"""Classification by nearest neighbours: clean labelled features vote on clean and on corrupted ones.

n queries, m features in the bank, d channels, C classes.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vjepa.metrics.moments import CHUNK, check_features
from vjepa.metrics.neighbours import NUM_NEIGHBOURS, Neighbours, nearest

TEMPERATURE = 0.07


@torch.no_grad()
def vote(neighbours: Neighbours, labels: Tensor, num_classes: int, temperature: float = TEMPERATURE) -> Tensor:
    """Weighted vote ``sum_j 1[label_j = c] exp(cos_j / temperature)``, as logarithms of shares.

    Args:
        neighbours: of n queries.
        labels: (m,) classes of the bank in [0, C).
        num_classes: C.
        temperature: > 0.

    Returns:
        (n, C) logits, finite: a class without a neighbour gets the smallest normal number as its share.

    Source: Wu et al., arXiv 1805.01978, section 3.4.
    """
    # Less the largest, which changes no share and keeps the exponential finite.
    weights = ((neighbours.similarity - neighbours.similarity[:, :1]) / temperature).exp()
    classes = labels.to(weights.device)[neighbours.index]
    shares = weights.new_zeros(len(weights), num_classes).scatter_add_(1, classes, weights)
    return (shares / shares.sum(1, keepdim=True)).clamp_min(torch.finfo(torch.float32).tiny).log()


def knn_hits(
    queries: Tensor,
    query_labels: Tensor,
    bank: Tensor,
    bank_labels: Tensor,
    k: int = NUM_NEIGHBOURS,
    temperature: float = TEMPERATURE,
    *,
    same_clips: bool = False,
    chunk: int = CHUNK,
) -> Tensor:
    """Whether the weighted vote of the k nearest neighbours is right; its mean is the kNN accuracy.

    The kNN drop is the mean for clean queries less the mean for corrupted ones, with the same clean bank.

    Args:
        queries: (n, d), clean or corrupted; not centred, as is usual for kNN.
        query_labels: (n,) int64.
        bank: (m, d), clean.
        bank_labels: (m,) int64.
        k: neighbours.
        temperature: of the vote.
        same_clips: the bank holds the clean features of the very clips that ask, in the same order; no clip then votes
            on itself, clean or corrupted, or the drop would measure how well it finds itself.
        chunk: rows at a time.

    Returns:
        (n,) bool.
    """
    if same_clips:
        check_features(queries, bank)
    found = nearest(queries, bank, k + same_clips, chunk=chunk)
    found = found.without_self() if same_clips else found
    num_classes = int(torch.cat([query_labels, bank_labels]).max()) + 1
    return vote(found, bank_labels, num_classes, temperature).argmax(1) == query_labels.to(queries.device)
