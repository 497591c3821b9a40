"""Votes by hand, and a drop whose size is known."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tests.vjepa.metrics.features import noise
from vjepa.metrics import Neighbours, knn_hits, vote


def test_a_vote_by_hand() -> None:
    found = Neighbours(torch.tensor([[0, 1, 2]]), torch.tensor([[0.9, 0.8, 0.7]], dtype=torch.float64))
    logits = vote(found, torch.tensor([1, 0, 0]), num_classes=4, temperature=0.1)
    e = torch.exp(torch.tensor([9.0, 8, 7], dtype=torch.float64))
    torch.testing.assert_close(logits.exp()[0, :2], torch.stack([e[1] + e[2], e[0]]) / e.sum())
    assert logits.isfinite().all() and logits.argmax() == 1
    even = vote(found, torch.tensor([1, 0, 0]), num_classes=4, temperature=10.0)
    assert even.argmax() == 0  # warm votes count heads


def test_knn_drop_of_clusters_that_a_corruption_mixes() -> None:
    labels = torch.arange(300) % 3
    clean = noise(300, 8) * 0.1 + 3 * F.one_hot(labels, 8)
    corrupted = clean.clone()
    corrupted[:150] = clean[(torch.arange(150) // 3) * 3]  # all become class 0
    options = {"same_clips": True, "k": 10}
    assert knn_hits(clean, labels, clean, labels, **options).all()
    assert knn_hits(corrupted, labels, clean, labels, **options).double().mean() == (150 + 50) / 300


def test_no_clip_votes_on_itself() -> None:
    clean, labels = noise(300, 16), torch.randint(10, (300,), generator=torch.Generator().manual_seed(0))
    corrupted = clean + 0.01 * noise(300, 16, seed=2)
    alone = {"k": 1}
    assert knn_hits(corrupted, labels, clean, labels, **alone).all()  # found itself, learned nothing
    assert knn_hits(corrupted, labels, clean, labels, **alone, same_clips=True).double().mean() < 0.2


@pytest.mark.parametrize(("k", "answer"), [(2, 1), (3, 0)])
def test_exactly_k_neighbours_vote(k: int, answer: int) -> None:
    angles = torch.tensor([0.0, 0.1, 0.2, 0.3])
    points, labels = torch.stack([angles.cos(), angles.sin()], 1), torch.tensor([2, 1, 0, 0])
    hits = knn_hits(points[:1], torch.tensor([answer]), points[1:], labels[1:], k, temperature=10.0)
    own = knn_hits(points, torch.tensor([answer, 9, 9, 9]), points, labels, k, temperature=10.0, same_clips=True)
    assert hits.tolist() == [True] and own.tolist() == [True, False, False, False]


def test_a_bank_of_other_clips_is_refused() -> None:
    with pytest.raises(ValueError, match=r"same n clips"):
        knn_hits(torch.zeros(3, 4), torch.zeros(3), torch.zeros(5, 4), torch.zeros(5), 1, same_clips=True)
