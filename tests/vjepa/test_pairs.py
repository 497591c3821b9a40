"""Valid pairs, against plain loops."""

from __future__ import annotations

import pytest
import torch

from vjepa.grid import Grid
from vjepa.pairs import temporal_pairs


@pytest.mark.parametrize("kept", [1, 7, 20, 60])
@pytest.mark.parametrize("grid", [Grid(4, 3, 5), Grid(1, 6, 10), Grid(60, 1, 1), Grid(2, 5, 6)], ids=str)
def test_pairs_equal_plain_loops(grid: Grid, kept: int) -> None:
    generator = torch.Generator().manual_seed(kept)
    indices = torch.stack([torch.randperm(60, generator=generator)[:kept] for _ in range(3)])
    pairs = temporal_pairs(indices, grid)
    for sample, row in enumerate(indices.tolist()):
        for place, token in enumerate(row):
            later = token + grid.height * grid.width
            is_pair = token // (grid.height * grid.width) + 1 < grid.time and later in row
            assert bool(pairs.valid[sample, place]) is is_pair
            assert int(pairs.now[sample, place]) == token
            assert int(pairs.next[sample, place]) < grid.num_tokens
            if is_pair:
                assert row[int(pairs.successor[sample, place])] == later == int(pairs.next[sample, place])
            else:
                assert 0 <= int(pairs.successor[sample, place]) < kept
