"""Masks: sizes and statistics of the study, and what placement may and may not depend on."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.conftest import Golden
from tests.vjepa.moving import GRID, moving_spot
from vjepa.errors import UserError
from vjepa.latents import Grid, Masks
from vjepa.masking import STUDY_MASKS, BlockMask, FuturePrediction, MultiBlockMasker, mask_ratios
from vjepa.motion import MotionGuidance

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


GUIDED = [
    ("train_mixed_4gpu_motion_guided", MultiBlockMasker(motion=MotionGuidance())),
    ("train_mixed_4gpu_amg", MultiBlockMasker(motion=MotionGuidance(strength=5.0, random_rate=0.0))),
    ("train_ucf101_4gpu_motion_future", MultiBlockMasker(motion=MotionGuidance(), future=FuturePrediction())),
]


def draw(masker: MultiBlockMasker | None = None, batch_size: int = 8, grid: Grid = GRID, **key: Any) -> Masks:
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


@pytest.mark.parametrize(("config", "masker"), GUIDED, ids=[name for name, _ in GUIDED])
def test_guided_statistics_equal_the_study(golden: Golden, config: str, masker: MultiBlockMasker) -> None:
    stats, steps, seeds = golden("mask_stats"), 24, 4
    expected = json.loads(str(stats[f"{config}/stats"]))
    motion = stats[f"{config}/motion_map"].expand(8, -1, -1, -1)
    drawn = [draw(masker, step=step, seed=seed, motion=motion) for step in range(steps) for seed in range(seeds)]
    for number in range(2):
        for kind, indices in (("enc", [m.context[number] for m in drawn]), ("pred", [m.target[number] for m in drawn])):
            sizes = np.array([rows.shape[1] for rows in indices])
            error = np.hypot(sizes.std() / len(drawn) ** 0.5, expected[number][f"{kind}_std"] / steps**0.5)
            assert abs(sizes.mean() - expected[number][f"{kind}_mean"]) < 3 * error
        hits = sum(torch.bincount(m.target[number].flatten(), minlength=1568) for m in drawn) / (8 * len(drawn))
        # Tokens of a step share its block size, hence the floor: about four standard errors of a frequency near 1/2.
        assert (hits - stats[f"{config}/mask{number}/hit"].flatten()).abs().max() < 0.25
        assert np.corrcoef(hits, stats[f"{config}/mask{number}/hit"].flatten())[0, 1] > 0.98


def test_future_prediction_makes_the_masks_of_the_study() -> None:
    assert MultiBlockMasker(future=FuturePrediction()).blocks == FUTURE
    masker = MultiBlockMasker((BlockMask(8), BlockMask(1)), future=FuturePrediction(0.25, 0.3))
    assert [(mask.num_blocks, mask.max_temporal_keep) for mask in masker.blocks] == [(2, 0.25), (1, 0.25)]


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


def test_unguided_masks_are_those_that_earlier_runs_drew() -> None:
    assert [int(indices.sum()) for indices in everything(draw())] == [2744923, 301112, 3988858, 6299968]


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


# -- masks guided by motion


def moved(masks: Masks, motion: Tensor, number: int = 0) -> float:
    """Mean motion of the tokens to predict."""
    return float(motion.flatten(1).gather(1, masks.target[number]).mean())


@pytest.mark.parametrize("motion", [MotionGuidance(random_rate=1.0), MotionGuidance(5.0, 1.0, ratio_matched=True)])
def test_guidance_that_is_never_used_changes_nothing(motion: MotionGuidance) -> None:
    assert same(draw(MultiBlockMasker(motion=motion), motion=moving_spot()), draw())


@pytest.mark.parametrize("matched", [False, True])
def test_still_clips_are_masked_as_without_guidance(matched: bool) -> None:
    masker = MultiBlockMasker(motion=MotionGuidance(5.0, 0.0, ratio_matched=matched))
    assert same(draw(masker, motion=torch.zeros(8, 8, 14, 14)), draw())
    image = Grid(1, 14, 14)
    assert same(draw(masker, grid=image, motion=torch.zeros(8, 1, 14, 14)), draw(grid=image))


def test_targets_follow_the_motion_the_more_the_stronger() -> None:
    motion = moving_spot()
    means = [
        np.mean([moved(draw(masker, step=step, motion=motion), motion) for step in range(10)])
        for masker in (None, *(MultiBlockMasker(motion=MotionGuidance(s, 0.0)) for s in (0.0, 1.0, 3.0)))
    ]
    assert means[1] == pytest.approx(means[0], rel=0.1)
    assert means[0] < 0.7 * means[2] and means[2] < 0.9 * means[3]


@pytest.mark.parametrize("masker", [masker for _, masker in GUIDED], ids=[name for name, _ in GUIDED])
@pytest.mark.parametrize("matched", [False, True])
def test_guided_masks_are_a_function_of_seed_step_rank_and_sample(masker: MultiBlockMasker, matched: bool) -> None:
    assert masker.motion is not None
    masker = replace(masker, motion=replace(masker.motion, ratio_matched=matched))
    motion = moving_spot()
    batch = draw(masker, motion=motion)
    assert same(batch, draw(masker, motion=motion))
    for sample in range(8):
        alone = draw(masker, 1, first_sample=sample, motion=motion[sample : sample + 1])
        for number, context in enumerate(batch.context):
            assert torch.equal(context[sample], alone.context[number][0, : context.shape[1]])
    for change in ({"seed": 1}, {"step": 4}, {"rank": 1}, {"first_sample": 8}):
        assert not same(batch, draw(masker, motion=motion, **change))


@pytest.mark.parametrize("trim", ["first", "random"])
@pytest.mark.parametrize("future", [None, FuturePrediction()], ids=["whole", "future"])
@pytest.mark.parametrize("strength", [2.0, 5.0])
def test_matched_masks_have_the_ratio_of_unguided_ones_and_follow_the_motion(
    strength: float, future: FuturePrediction | None, trim: Any
) -> None:
    guided = MultiBlockMasker(None, trim, MotionGuidance(strength, ratio_matched=True), future)
    motion, means = moving_spot(), []
    for step in range(10):
        matched = draw(guided, step=step, motion=motion)
        plain = draw(MultiBlockMasker(None, trim, future=future), step=step)
        assert [rows.shape for rows in everything(matched)] == [rows.shape for rows in everything(plain)]
        means.append([moved(matched, motion), moved(plain, motion)])
        for context, target in zip(matched.context, matched.target, strict=True):
            assert (context.diff(dim=1) > 0).all() and (target.diff(dim=1) > 0).all()
            assert not (context[:, :, None] == target[:, None]).any()
    followed, chance = np.mean(means, axis=0)
    # A future-predictive mask predicts the second half wherever its blocks fall.
    assert followed > (1.15 if future is None else 1.02) * chance


def test_unmatched_guidance_changes_the_ratio() -> None:
    guided = draw(MultiBlockMasker(motion=MotionGuidance(5.0, 0.0)), motion=moving_spot())
    assert mask_ratios(guided, GRID)["masks/context_ratio_0"] > 1.2 * mask_ratios(draw(), GRID)["masks/context_ratio_0"]


def test_a_guided_sample_whose_context_is_empty_is_drawn_again() -> None:
    mask, grid = BlockMask(2, (0.7, 0.7), aspect_ratio=(0.5, 0.5)), Grid(1, 1, 3)
    masker = MultiBlockMasker((mask,), motion=MotionGuidance(2.0, 0.0))
    motion = torch.tensor([2.0, 1.0, 1.0]).expand(64, 1, 1, 3)
    visible = draw(masker, 64, grid, motion=motion).context[0]
    counts = torch.bincount(visible.flatten(), minlength=3)
    assert visible.shape == (64, 1)
    assert counts[1] == 0 and counts[2] > counts[0] > 0, "what moves more is hidden more often"


def test_mask_ratios_are_shares_of_the_grid() -> None:
    masks = Masks((torch.zeros(2, 4), torch.zeros(2, 1)), (torch.zeros(2, 8), torch.zeros(2, 15)))
    assert mask_ratios(masks, Grid(1, 4, 4)) == {
        "masks/context_ratio_0": 0.25, "masks/context_ratio_1": 0.0625,
        "masks/target_ratio_0": 0.5, "masks/target_ratio_1": 0.9375,
    }  # fmt: skip


# -- refusals


def test_a_mask_that_hides_everything_is_refused() -> None:
    masker = MultiBlockMasker((BlockMask(1, (1.0, 1.0), aspect_ratio=(1.0, 1.0)),))
    with pytest.raises(UserError, match=r"1 blocks of \(2, 4, 4\) tokens hides the whole 2x4x4 grid.*spatial_scale"):
        draw(masker, grid=Grid(2, 4, 4))


@pytest.mark.parametrize(
    ("motion", "message"),
    [
        (None, r"expected shape \(8, 8, 14, 14\).*got none"),
        (torch.zeros(8, 8, 7, 7), r"got shape \(8, 8, 7, 7\)"),
        (torch.zeros(1, 8, 14, 14), r"got shape \(1, 8, 14, 14\)"),
    ],
)
def test_guidance_needs_a_map_of_every_sample(motion: Tensor | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw(MultiBlockMasker(motion=MotionGuidance()), motion=motion)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FuturePrediction(temporal_keep=0.0), r"future.temporal_keep 0.0: expected a share in \(0, 1\]"),
        (lambda: FuturePrediction(temporal_keep=1.5), "masker future.temporal_keep 1.5"),
        (lambda: FuturePrediction(block_ratio=0), "masker future.block_ratio 0"),
        (lambda: FuturePrediction(block_ratio=2.0), "masker future.block_ratio 2.0"),
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
        (lambda: MultiBlockMasker(trim="last"), "unknown masker trim 'last'"),  # type: ignore[arg-type]
    ],
)
def test_bad_values_are_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make()
