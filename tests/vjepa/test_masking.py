"""Masks: sizes and statistics of the study, and what placement may and may not depend on."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.conftest import Golden
from vjepa.errors import UserError
from vjepa.latents import Grid, Masks
from vjepa.masking import STUDY_MASKS, BlockMask, MultiBlockMasker

GRID = Grid(8, 14, 14)
FUTURE = (
    BlockMask(4, (0.15, 0.15), max_temporal_keep=0.5, full_complement=True),
    BlockMask(1, (0.7, 0.7), max_temporal_keep=0.5, full_complement=True),
)
STUDIED = [
    ("train_mixed_4gpu_baseline", STUDY_MASKS, GRID),
    ("train_ucf101_4gpu_future_predictive", FUTURE, GRID),
    ("train_synth_2gpu_kinematic", STUDY_MASKS, Grid(4, 8, 8)),
]
studied = pytest.mark.parametrize(("config", "blocks", "grid"), STUDIED, ids=[name for name, _, _ in STUDIED])


def draw(masker: MultiBlockMasker | None = None, batch_size: int = 8, grid: Grid = GRID, **key: int) -> Masks:
    return (masker or MultiBlockMasker())(grid, batch_size, **{"step": 3, "seed": 0, **key})


def everything(masks: Masks) -> list[Tensor]:
    return [*masks.context, *masks.target]


def same(one: Masks, other: Masks) -> bool:
    return all(torch.equal(a, b) for a, b in zip(everything(one), everything(other), strict=True))


# -- sizes


def test_block_sizes_of_the_first_step() -> None:
    assert [mask.block_size(GRID, 0) for mask in STUDY_MASKS] == [(8, 5, 6), (8, 11, 13)]


@studied
def test_block_sizes_equal_the_study(golden: Golden, config: str, blocks: tuple[BlockMask, ...], grid: Grid) -> None:
    stats = golden("mask_stats")
    for number, mask in enumerate(blocks):
        sizes = torch.tensor([mask.block_size(grid, step) for step in range(200)])
        assert torch.equal(sizes, stats[f"{config}/mask{number}/block_size_seed0_199"].long())


@studied
def test_statistics_equal_the_study(golden: Golden, config: str, blocks: tuple[BlockMask, ...], grid: Grid) -> None:
    stats, masker, steps = golden("mask_stats"), MultiBlockMasker(blocks), 200
    drawn = [draw(masker, grid=grid, step=step) for step in range(steps)]
    expected = json.loads(str(stats[f"{config}/stats"]))
    for number in range(len(blocks)):
        for kind, indices in (("enc", [m.context[number] for m in drawn]), ("pred", [m.target[number] for m in drawn])):
            sizes = np.array([rows.shape[1] for rows in indices])
            error = np.hypot(sizes.std(), expected[number][f"{kind}_std"]) / steps**0.5
            assert abs(sizes.mean() - expected[number][f"{kind}_mean"]) < 4 * max(error, 1e-9)
        hits = sum(torch.bincount(m.target[number].flatten(), minlength=grid.num_tokens) for m in drawn) / (8 * steps)
        error = (2 * hits * (1 - hits) / (8 * steps)).clamp(min=1e-6).sqrt()
        assert ((hits - stats[f"{config}/mask{number}/hit"].flatten()).abs() < 5 * error).all()


# -- what placement depends on


@pytest.mark.parametrize("blocks", [STUDY_MASKS, FUTURE], ids=["study", "future"])
def test_a_batch_is_its_samples_cut_to_the_shortest(blocks: tuple[BlockMask, ...]) -> None:
    masker = MultiBlockMasker(blocks)
    batch = draw(masker)
    alone = [draw(masker, 1, first_sample=sample) for sample in range(8)]
    for number, mask in enumerate(blocks):
        context = batch.context[number]
        assert context.shape[1] == min(single.context[number].shape[1] for single in alone)
        for row, single in zip(context, alone, strict=True):
            assert torch.equal(row, single.context[number][0, : len(row)])
        if not mask.full_complement:
            for row, single in zip(batch.target[number], alone, strict=True):
                assert torch.equal(row, single.target[number][0, : len(row)])


@pytest.mark.parametrize("trim", ["first", "random"])
def test_micro_batches_draw_what_one_batch_would(trim: Any) -> None:
    # Without trimming (a fixed block leaves every sample as many tokens) halves of a batch are rows of the whole.
    masker = MultiBlockMasker((BlockMask(1, (0.3, 0.3)), BlockMask(1, (0.5, 0.5), max_keep=60)), trim)
    whole = everything(draw(masker))
    halves = [everything(draw(masker, 4, first_sample=first)) for first in (0, 4)]
    for together, first, second in zip(whole, *halves, strict=True):
        assert torch.equal(together, torch.cat((first, second)))


def test_the_same_key_draws_the_same_masks_and_global_randomness_is_left_alone() -> None:
    before = draw()
    torch.manual_seed(1)
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    again = draw()
    assert same(before, again)
    assert torch.equal(states[0], torch.get_rng_state())
    assert np.array_equal(states[1], np.random.get_state()[1])
    assert states[2] == random.getstate()


@pytest.mark.parametrize("change", [{"seed": 1}, {"step": 4}, {"rank": 1}, {"first_sample": 8}], ids=str)
def test_every_part_of_the_key_matters(change: dict[str, int]) -> None:
    assert not same(draw(), draw(**change))


def test_samples_of_a_batch_differ() -> None:
    assert len({tuple(row.tolist()) for row in draw().context[0]}) == 8


# -- what a mask is


@pytest.mark.parametrize("trim", ["first", "random"])
@pytest.mark.parametrize("batch_size", [1, 5])
@pytest.mark.parametrize("grid", [GRID, Grid(3, 5, 7), Grid(1, 6, 6), Grid(4, 4, 4)], ids=str)
def test_context_and_target_are_ascending_disjoint_and_inside(grid: Grid, batch_size: int, trim: Any) -> None:
    for step in range(5):
        masks = draw(MultiBlockMasker(STUDY_MASKS, trim), batch_size, grid, step=step)
        for context, target in zip(masks.context, masks.target, strict=True):
            assert len(context) == len(target) == batch_size
            for indices in (context, target):
                assert indices.dtype == torch.int64
                assert indices.shape[1] >= 1
                assert indices.min() >= 0
                assert indices.max() < grid.num_tokens
                assert (indices.diff(dim=1) > 0).all()
            assert not (context[:, :, None] == target[:, None]).any()


def test_one_sample_keeps_every_token() -> None:
    masks = draw(batch_size=1)
    for context, target in zip(masks.context, masks.target, strict=True):
        assert context.shape[1] + target.shape[1] == GRID.num_tokens


def test_the_hidden_region_is_a_union_of_blocks_of_one_size() -> None:
    mask = BlockMask(1, (0.3, 0.3), temporal_scale=(0.5, 0.5))
    for step in range(10):
        hidden = draw(MultiBlockMasker((mask,)), step=step).target[0]
        place = hidden // 196, hidden % 196 // 14, hidden % 14
        for axis, size in zip(place, mask.block_size(GRID, step), strict=True):
            assert (axis.amax(dim=1) - axis.amin(dim=1) + 1 == size).all()


def test_full_complement_predicts_all_that_is_not_context() -> None:
    masks = draw(MultiBlockMasker(FUTURE))
    for context, target in zip(masks.context, masks.target, strict=True):
        both = torch.cat((context, target), dim=1).sort(dim=1).values
        assert torch.equal(both, torch.arange(GRID.num_tokens).expand(8, -1))


def test_max_temporal_keep_hides_the_future() -> None:
    masks = draw(MultiBlockMasker((BlockMask(max_temporal_keep=0.5),)), batch_size=1)
    assert masks.context[0].max() < 4 * 196
    assert (masks.target[0] >= 4 * 196).sum() == 4 * 196
    still = draw(MultiBlockMasker((BlockMask(2, max_temporal_keep=0.01),)))
    assert still.context[0].max() < 196


@pytest.mark.parametrize("full_complement", [False, True])
def test_max_keep_limits_the_context(full_complement: bool) -> None:
    mask = BlockMask(max_keep=50, full_complement=full_complement)
    limited, free = draw(MultiBlockMasker((mask,))), draw()
    assert torch.equal(limited.context[0], free.context[0][:, :50])
    assert limited.target[0].shape[1] == (1568 - 50 if full_complement else free.target[0].shape[1])


def test_random_trim_spares_the_last_frames() -> None:
    def mean_time(trim: Any) -> float:
        drawn = [draw(MultiBlockMasker(STUDY_MASKS, trim), step=step).context[1] // 196 for step in range(40)]
        return float(torch.cat([rows.flatten() for rows in drawn]).float().mean())

    assert mean_time("first") < 2.5
    assert mean_time("random") == pytest.approx(3.5, abs=0.1)


def test_random_trim_keeps_tokens_of_the_same_context() -> None:
    trimmed = draw(MultiBlockMasker(STUDY_MASKS, "random"))
    for number in range(2):
        assert trimmed.context[number].shape == draw().context[number].shape
        for sample, row in enumerate(trimmed.context[number]):
            assert torch.isin(row, draw(batch_size=1, first_sample=sample).context[number]).all()


def test_an_empty_context_is_drawn_again() -> None:
    # Two blocks of two columns on a row of three leave a column free only where they coincide.
    mask, grid = BlockMask(2, (0.7, 0.7), aspect_ratio=(0.5, 0.5)), Grid(1, 1, 3)
    assert mask.block_size(grid, 0) == (1, 1, 2)
    visible = draw(MultiBlockMasker((mask,)), 64, grid).context[0]
    assert visible.shape == (64, 1)
    assert set(visible.flatten().tolist()) == {0, 2}


# -- refusals


def test_a_mask_that_hides_everything_is_refused() -> None:
    masker = MultiBlockMasker((BlockMask(1, (1.0, 1.0), aspect_ratio=(1.0, 1.0)),))
    with pytest.raises(UserError, match=r"1 blocks of \(2, 4, 4\) tokens hides the whole 2x4x4 grid.*spatial_scale"):
        draw(masker, grid=Grid(2, 4, 4))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BlockMask(0), "num_blocks 0"),
        (lambda: BlockMask(spatial_scale=(0.0, 0.5)), "spatial_scale"),
        (lambda: BlockMask(spatial_scale=(0.5, 0.2)), "spatial_scale"),
        (lambda: BlockMask(spatial_scale=(0.5, 1.2)), "spatial_scale"),
        (lambda: BlockMask(temporal_scale=(0.5, 1.2)), "temporal_scale"),
        (lambda: BlockMask(aspect_ratio=(-1.0, 1.0)), "aspect_ratio"),
        (lambda: BlockMask(max_temporal_keep=0.0), "max_temporal_keep 0.0"),
        (lambda: BlockMask(max_temporal_keep=1.5), "max_temporal_keep 1.5"),
        (lambda: BlockMask(max_keep=0), "max_keep 0"),
        (lambda: MultiBlockMasker(()), "no masks"),
    ],
)
def test_bad_values_are_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make()
