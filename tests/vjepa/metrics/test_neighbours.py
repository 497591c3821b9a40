"""Neighbours against a plain sort, and what the measures say of unrelated features."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tests.vjepa.metrics.features import noise, rotation
from vjepa.metrics import Neighbours, nearest, neighbour_jaccard, paired_retrieval
from vjepa.metrics.neighbours import jaccard


@pytest.mark.parametrize("chunk", [3, 16, 1000])
@pytest.mark.parametrize("centred", [False, True])
def test_neighbours_equal_a_full_sort(chunk: int, centred: bool) -> None:
    queries, bank = noise(20, 6) + 2, noise(33, 6, seed=1) + 2
    mean = bank.mean(0) if centred else None
    found = nearest(queries.float(), bank.float(), 5, None if mean is None else mean, chunk)
    shift = bank.mean(0) if centred else torch.zeros(6)
    cosine = F.cosine_similarity((queries - shift)[:, None], (bank - shift)[None], dim=-1)
    expected = cosine.sort(dim=1, descending=True)
    assert torch.equal(found.index, expected.indices[:, :5])
    torch.testing.assert_close(found.similarity, expected.values[:, :5], rtol=0, atol=1e-6)


def test_leaving_oneself_out() -> None:
    index = torch.tensor([[0, 1, 2], [2, 1, 0], [0, 1, 3]])  # itself first, second, not at all
    similarity = torch.tensor([[0.9, 0.8, 0.7]]).repeat(3, 1)
    found = Neighbours(index, similarity).without_self()
    assert found.index.tolist() == [[1, 2], [2, 0], [0, 1]]
    torch.testing.assert_close(found.similarity, torch.tensor([[0.8, 0.7], [0.9, 0.7], [0.9, 0.8]]))


def test_retrieval_ignores_scale_and_shared_shift() -> None:
    clean = noise(200, 16)
    assert paired_retrieval(clean + 100, 5 * (clean - clean.mean(0)) + clean.mean(0) + 100).all()
    moved = clean.clone()
    moved[:50] = clean[50:100]
    assert paired_retrieval(clean, moved).double().mean() == 0.75


@pytest.mark.parametrize("corrupted", [noise(400, 16, seed=1), torch.full((400, 16), 3.0)])
def test_retrieval_of_unrelated_features_is_chance(corrupted: torch.Tensor) -> None:
    assert paired_retrieval(noise(400, 16) + 50, corrupted + 50).sum() <= 5  # 1 expected


def test_retrieval_of_a_collapsed_representation_is_chance() -> None:
    constant = torch.full((99, 8), 0.1, dtype=torch.float64)
    assert paired_retrieval(constant, constant).sum() <= 5  # ties are broken by rounding


def test_overlap_of_known_sets() -> None:
    one = torch.tensor([[1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4]])
    other = torch.tensor([[4, 3, 2, 1], [3, 4, 5, 6], [5, 6, 7, 8]])
    assert jaccard(one, other).tolist() == pytest.approx([1, 2 / 6, 0])


def test_overlap_of_the_same_and_of_unrelated_features() -> None:
    clean = noise(600, 16)
    assert (neighbour_jaccard(clean + 5, clean + 5) == 1).all()
    unrelated = neighbour_jaccard(clean, noise(600, 16, seed=1)).mean().item()
    assert unrelated == pytest.approx(20 / 1200, rel=0.3)


def test_neighbours_do_not_depend_on_a_rotation() -> None:
    clean, turn = noise(100, 12), rotation(12)
    assert torch.equal(nearest(clean @ turn, clean @ turn, 7).index, nearest(clean, clean, 7).index)


def test_wrong_input_is_refused() -> None:
    with pytest.raises(ValueError, match=r"k in \[1, 5\], got .* k=6"):
        nearest(torch.zeros(3, 4), torch.zeros(5, 4), 6)
    with pytest.raises(ValueError, match=r"expected equal widths"):
        nearest(torch.zeros(3, 4), torch.zeros(5, 6), 1)
