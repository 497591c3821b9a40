"""Placement: scores of origins, their probabilities, and masks that hide as many tokens as unguided ones."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from tests.vjepa.moving import GRID, moving_spot
from vjepa.grid import Grid
from vjepa.placement import (
    Draws,
    block_means,
    covered_tokens,
    draw_blocks,
    guided_place,
    match_visible,
    uniform_place,
    visible_tokens,
)

SMALL = Grid(3, 4, 5)
BLOCK = (2, 2, 3)


def draws(batch_size: int = 8, step: int = 0, first: int = 0) -> Draws:
    return Draws(0, (step, 0, 0), first, batch_size)


def maps(batch_size: int, scale: float = 1.0) -> Any:
    return scale * np.random.default_rng(0).random((batch_size, 3, 4, 5))


def test_block_means_are_the_means_of_the_blocks() -> None:
    values = maps(2)
    means = block_means(values, BLOCK)
    assert means.shape == (2, 2, 3, 3)
    for start, top, left in itertools.product(range(2), range(3), range(3)):
        block = values[:, start : start + 2, top : top + 2, left : left + 3]
        np.testing.assert_allclose(means[:, start, top, left], block.mean(axis=(1, 2, 3)), rtol=1e-12)


def test_block_means_beside_an_inflated_time_step_keep_their_value() -> None:
    # A still sample inflates one time step a millionfold as released; what lies beside it must not drown.
    values = maps(1)
    values[:, 0] *= 1e6
    np.testing.assert_allclose(block_means(values, (1, 2, 2))[:, 1:], block_means(values[:, 1:], (1, 2, 2)), rtol=1e-9)


def test_covered_tokens_are_those_of_the_block() -> None:
    covered = covered_tokens(SMALL, BLOCK, np.array([[[1, 2, 0]], [[0, 0, 2]]])).reshape(2, 3, 4, 5)
    for sample, where in enumerate([np.s_[1:3, 2:4, 0:3], np.s_[0:2, 0:2, 2:5]]):
        expected = np.zeros((3, 4, 5), dtype=bool)
        expected[where] = True
        assert np.array_equal(covered[sample], expected)


@pytest.mark.parametrize("strength", [0.0, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("random_rate", [0.0, 0.3])
def test_origins_are_drawn_in_proportion_to_their_score(strength: float, random_rate: float) -> None:
    motion, many = maps(1), 20_000
    key = draws(1)
    uniform = uniform_place(SMALL, BLOCK, many, key)
    origins = guided_place(motion, BLOCK, strength, random_rate, key, uniform)(0)[0]
    scores = block_means(motion, BLOCK)[0] ** strength
    expected = (1 - random_rate) * scores / scores.sum() + random_rate / scores.size
    counts = np.zeros_like(expected)
    np.add.at(counts, tuple(origins.T), 1)
    assert (np.abs(counts / many - expected) < 5 * np.sqrt(expected / many)).all()


def test_blocks_of_a_sample_are_drawn_independently() -> None:
    motion = np.zeros((1, 3, 4, 5))
    motion[0, :2, :2, :3] = 1.0
    uniform = uniform_place(SMALL, BLOCK, 8, draws(1))
    origins = guided_place(motion, BLOCK, 50.0, 0.0, draws(1), uniform)(0)
    assert (origins == 0).all(), "nothing keeps blocks from coinciding"


@pytest.mark.parametrize("scale", [1.0, 2.0**20, 2.0**-10])
@pytest.mark.parametrize("strength", [5.0, 300.0])
def test_scores_of_any_size_neither_overflow_nor_matter(scale: float, strength: float) -> None:
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        drawn = [
            guided_place(maps(8, s), BLOCK, strength, 0.0, draws(), uniform_place(SMALL, BLOCK, 8, draws()))(0)
            for s in (1.0, scale)
        ]
    assert np.array_equal(*drawn)
    assert (drawn[0] >= 0).all() and (drawn[0] <= [1, 2, 2]).all()


@pytest.mark.parametrize("level", [0.0, 1e-7])
def test_a_still_clip_is_placed_as_without_guidance(level: float) -> None:
    motion = maps(8)
    motion[3] = level * motion[3]  # means below the floor of 1e-6 count as equal
    uniform = uniform_place(SMALL, BLOCK, 8, draws())
    origins = guided_place(motion, BLOCK, 2.0, 0.0, draws(), uniform)(0)
    assert np.array_equal(origins[3], uniform(0)[3])
    assert not np.array_equal(origins[2], uniform(0)[2])


# -- as many tokens as unguided masks


def masks(
    motion: Any,
    block: Any = (8, 5, 6),
    num_blocks: int = 8,
    strength: float = 5.0,
    context_steps: int = 8,
    step: int = 0,
) -> tuple[Any, Any, Any]:
    """Matched and unguided context (B, N), and all blocks (B, n, N) in the order in which they are laid."""
    key = draws(step=step)
    uniform = uniform_place(GRID, block, num_blocks, key)
    guided = guided_place(motion, block, strength, 0.0, key, uniform)
    unguided = draw_blocks(GRID, block, context_steps, 8, uniform)
    matched = match_visible(GRID, block, context_steps, unguided, guided, key)
    covered = [covered_tokens(GRID, block, guided(attempt)) for attempt in range(8)]
    return matched, visible_tokens(GRID, context_steps, unguided), np.concatenate([*covered, unguided], axis=1)


@pytest.mark.parametrize("context_steps", [8, 4])
@pytest.mark.parametrize("strength", [2.0, 5.0, 300.0])
@pytest.mark.parametrize(("block", "num_blocks"), [((8, 5, 6), 8), ((8, 11, 13), 2), ((3, 5, 5), 8)])
def test_matched_masks_hide_as_many_tokens_sample_by_sample(
    block: Any, num_blocks: int, strength: float, context_steps: int
) -> None:
    motion = moving_spot().double().numpy()
    for step in range(5):
        matched, unguided, _ = masks(motion, block, num_blocks, strength, context_steps, step)
        assert np.array_equal(matched.sum(axis=1), unguided.sum(axis=1))
        assert not matched.reshape(8, 8, 196)[:, context_steps:].any()
        assert not np.array_equal(matched, unguided)


def test_matched_masks_hide_whole_blocks_in_turn_and_a_part_of_the_last() -> None:
    for step in range(5):
        matched, _, covered = masks(moving_spot().double().numpy(), step=step)
        union = np.logical_or.accumulate(covered, axis=1)
        for hidden, reached in zip(~matched, union, strict=True):
            last = int((reached.sum(axis=1) < hidden.sum()).sum())  # the block that reaches the count
            assert last > 0
            assert hidden[reached[last - 1]].all()
            assert not hidden[~reached[last]].any()


def test_matched_masks_end_at_the_unguided_blocks_where_motion_is_in_one_spot() -> None:
    motion = np.zeros((8, 8, 14, 14))
    motion[:, :, :5, :6] = 1.0
    matched, unguided, _ = masks(motion, strength=300.0)
    assert np.array_equal(matched.sum(axis=1), unguided.sum(axis=1))
    spot = np.broadcast_to(motion > 0, (8, 8, 14, 14)).reshape(8, -1)
    assert not matched[spot].any()
    assert matched[unguided & ~spot].all(), "beside the spot only unguided blocks hide"


def test_matched_still_clips_are_the_unguided_masks() -> None:
    matched, unguided, _ = masks(np.zeros((8, 8, 14, 14)))
    assert np.array_equal(matched, unguided)


@pytest.mark.parametrize("first", [0, 5])
def test_rows_of_a_stream_belong_to_their_sample(first: int) -> None:
    together = draws(8).uniforms((7, 1), 3, 2)
    assert np.array_equal(draws(2, first=first).uniforms((7, 1), 3, 2), together[first : first + 2])
    assert not np.array_equal(together, draws(8).uniforms((7, 2), 3, 2))
