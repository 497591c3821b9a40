"""Delta prediction, by hand and against a loop."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.vjepa.objectives.samples import Pair, build, mean_by_loop, one_place, sample
from vjepa.grid import Grid
from vjepa.objectives.delta import DeltaPrediction


def test_error_of_the_change() -> None:
    # Targets change by 3 and -1, tokens by 1 and 4: errors 2 and 5; then 0 against 1 twice.
    latents = one_place([(0.0, 3.0, 2.0), (0.0, 1.0, 2.0)], [(0.0, 1.0, 5.0), (7.0, 7.0, 7.0)])
    assert build(DeltaPrediction())(latents).loss.item() == pytest.approx((2 + 5 + 1 + 1) / 4)


@pytest.mark.parametrize("grid", [Grid(4, 3, 3), Grid(3, 2, 5)], ids=str)
@pytest.mark.parametrize("kind", ["whole", "within_level"])
def test_equals_a_loop(grid: Grid, kind: Any) -> None:
    def missed(tokens: Tensor, targets: Tensor, pair: Pair) -> Tensor:
        change = tokens[pair.successor] - tokens[pair.place]
        return (change - (targets[pair.next] - targets[pair.now])).abs().mean()

    latents = sample(grid, kind=kind)
    assert build(DeltaPrediction(), kind)(latents).loss.item() == pytest.approx(mean_by_loop(latents, missed), rel=1e-5)


def test_both_tokens_of_a_pair_are_pulled() -> None:
    latents = one_place([(0.0, 1.0)], [(0.0, 0.0)])
    build(DeltaPrediction())(latents).loss.backward()
    gradient = latents.context[0].grad
    assert gradient is not None
    assert torch.equal(gradient[0, 0], -gradient[0, 1])
    assert (gradient[0, 0] > 0).all(), "the earlier token should sink, the later one rise"


def test_the_studys_weight() -> None:
    assert DeltaPrediction().weight == 0.5
