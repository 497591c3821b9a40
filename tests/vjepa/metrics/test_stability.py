"""Computed together or one by one, the comparisons are the same."""

from __future__ import annotations

import pytest
import torch

from tests.vjepa.metrics.features import noise
from vjepa.metrics import (
    StabilityReference,
    centred_drift,
    linear_cka,
    neighbour_jaccard,
    paired_retrieval,
    participation_ratio,
    rankme,
)


@pytest.mark.parametrize("chunk", [16, 1000])
def test_shared_work_changes_nothing(chunk: int) -> None:
    clean = (noise(60, 12) + 5).float()
    corrupted = (clean + 0.8 * noise(60, 12, seed=1)).float()
    found = StabilityReference(clean, k=7, chunk=chunk).compare(corrupted)
    torch.testing.assert_close(found.drift, centred_drift(clean, corrupted))
    assert torch.equal(found.retrieved, paired_retrieval(clean, corrupted))
    torch.testing.assert_close(found.jaccard, neighbour_jaccard(clean, corrupted, k=7))
    assert found.summary() == pytest.approx(
        {
            "centred_drift": centred_drift(clean, corrupted).mean().item(),
            "paired_retrieval": paired_retrieval(clean, corrupted).double().mean().item(),
            "neighbour_jaccard": neighbour_jaccard(clean, corrupted, k=7).mean().item(),
            "cka": linear_cka(clean, corrupted).item(),
            "rankme": rankme(corrupted).item(),
            "participation_ratio": participation_ratio(corrupted).item(),
        }
    )
    assert 0.2 < found.summary()["paired_retrieval"] < 1


def test_clean_against_itself() -> None:
    clean = noise(40, 8)
    found = StabilityReference(clean).compare(clean).summary()
    assert found["centred_drift"] == pytest.approx(0, abs=1e-12)
    assert found["paired_retrieval"] == found["neighbour_jaccard"] == 1 and found["cka"] == pytest.approx(1)


def test_too_few_clips_are_refused() -> None:
    with pytest.raises(ValueError, match=r"at least 21 clips"):
        StabilityReference(torch.zeros(20, 4))
