"""Grid, clip, masks, latents: shapes, movement, pairs and errors."""

from __future__ import annotations

import pytest
import torch

from vjepa.grid import Grid, gather_tokens
from vjepa.latents import Clip, Latents, Masks
from vjepa.layout import Layout

GRID = Grid(2, 1, 2)


@pytest.fixture
def latents() -> Latents:
    masks = Masks((torch.tensor([[0, 2]]),), (torch.tensor([[1, 3]]),))
    targets = torch.arange(32.0).view(1, 4, 8).requires_grad_()
    context, predicted, own = (torch.ones(1, 2, 8, requires_grad=True) for _ in range(3))
    return Latents(torch.zeros(1), GRID, Layout("whole", 2), masks, targets, (context,), (predicted,), (own,), 7, 9)


def test_grid_counts_tokens() -> None:
    grid = Grid(3, 4, 5)
    assert (grid.num_tokens, grid.frame_tokens) == (60, 20)


def test_gather_tokens_picks_by_sample() -> None:
    tokens = torch.arange(12).view(2, 3, 2)
    picked = gather_tokens(tokens, torch.tensor([[2, 0], [1, 1]]))
    assert picked.tolist() == [[[4, 5], [0, 1]], [[8, 9], [8, 9]]]


def test_a_clip_knows_its_length_and_moves_whole() -> None:
    clip = Clip(torch.zeros(3, 1, 2, 2, 3, dtype=torch.uint8), torch.arange(3), torch.zeros(3, 2, dtype=torch.int64))
    moved = clip.to("meta")
    assert len(clip) == 3
    assert {moved.frames.device.type, moved.index.device.type, moved.labels.device.type} == {"meta"}
    assert clip.frames.device.type == "cpu"


def test_latents_move_and_detach_every_tensor(latents: Latents) -> None:
    moved = latents.to("meta")
    tensors = (*moved.masks.context, *moved.masks.target, moved.targets, *moved.context, *moved.predicted_context)
    assert {tensor.device.type for tensor in tensors} == {"meta"}
    cut = latents.detach()
    assert not any(t.requires_grad for t in (cut.targets, *cut.context, *cut.predicted, *cut.predicted_context))
    assert latents.targets.requires_grad
    assert (cut.grid, cut.layout, cut.step, cut.total_steps) == (GRID, latents.layout, 7, 9)


def test_target_tokens_are_those_to_predict(latents: Latents) -> None:
    assert latents.target_tokens(0)[0, :, 0].tolist() == [8.0, 24.0]


def test_pairs_are_of_the_context(latents: Latents) -> None:
    assert latents.pairs[0].valid.tolist() == [[True, False]]
    assert latents.pairs[0].successor[0, 0] == 1


@pytest.mark.parametrize(("exponent", "error"), [(1.0, 3.0), (2.0, 4.5), (0.5, 2 * 3**0.5)])
def test_error_is_a_power_over_its_exponent(latents: Latents, exponent: float, error: float) -> None:
    powered = Latents(**{**vars(latents), "exponent": exponent})
    value = powered.error(torch.tensor([2.0], dtype=torch.bfloat16), torch.tensor([5.0]))
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(error)
