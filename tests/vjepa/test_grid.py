"""Picking tokens from the grid, and averaging pixels over it."""

from __future__ import annotations

import pytest
import torch

from vjepa.grid import Grid, gather_tokens, pool_to_grid


def test_tokens_are_picked_by_index() -> None:
    tokens = torch.arange(24.0).view(2, 4, 3)
    picked = gather_tokens(tokens, torch.tensor([[3, 0], [1, 1]]))
    assert torch.equal(picked, torch.stack([tokens[0, [3, 0]], tokens[1, [1, 1]]]))


@pytest.mark.parametrize(
    ("grid", "tubelet", "rows", "columns"), [(Grid(4, 3, 5), 2, 4, 6), (Grid(1, 2, 1), 1, 8, 8)], ids=str
)
def test_every_pixel_counts_in_its_own_tile(grid: Grid, tubelet: int, rows: int, columns: int) -> None:
    shape = (2, 3, grid.time * tubelet, grid.height * rows, grid.width * columns)
    pixels = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    pooled = pool_to_grid(pixels, grid)
    assert pooled.shape == (2, 3, grid.time, grid.height, grid.width)
    for t, r, c in torch.cartesian_prod(*(torch.arange(n) for n in (grid.time, grid.height, grid.width))).tolist():
        tile = pixels[:, :, t * tubelet:, r * rows:, c * columns:][:, :, :tubelet, :rows, :columns]  # fmt: skip
        torch.testing.assert_close(pooled[:, :, t, r, c], tile.mean(dim=(2, 3, 4)))


def test_tokens_of_the_pooled_grid_are_in_raster_order() -> None:
    grid = Grid(2, 3, 4)
    index = torch.arange(float(grid.num_tokens)).view(1, 1, 2, 3, 4)
    pixels = index.repeat_interleave(2, 2).repeat_interleave(4, 3).repeat_interleave(4, 4)
    assert torch.equal(pool_to_grid(pixels, grid).flatten(), index.flatten())


def test_pooling_once_more_changes_nothing() -> None:
    values = torch.randn(1, 2, 3, 4, 5)
    assert torch.equal(pool_to_grid(values, Grid(3, 4, 5)), values)
