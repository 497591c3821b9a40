"""The order of clips is a pure function; shards are disjoint, complete and unpadded."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from data_modules.mixing.order import ShardSampler, StepSampler, WeightedStepSampler, clip_weights
from tests.conftest import Golden
from vjepa.errors import UserError


def take(sampler: StepSampler, count: int) -> list[list[int]]:
    return list(islice(sampler, count))


def test_same_arguments_give_the_same_batches_and_seeds_differ() -> None:
    first = take(StepSampler(50, 4, seed=3), 40)
    assert first == take(StepSampler(50, 4, seed=3), 40)
    assert first != take(StepSampler(50, 4, seed=4), 40)


def test_each_epoch_is_a_fresh_permutation_without_repeats() -> None:
    sampler = StepSampler(50, 4, seed=0)
    batches = take(sampler, 2 * sampler.batches_per_epoch)
    epochs = [[index for batch in part for index in batch] for part in (batches[:12], batches[12:])]
    assert sampler.batches_per_epoch == 12
    assert all(len(set(epoch)) == 48 for epoch in epochs)
    assert epochs[0] != epochs[1]
    assert epochs[0] != sorted(epochs[0])


def test_ranks_are_disjoint_within_an_epoch() -> None:
    ranks = [StepSampler(50, 4, seed=1, rank=rank, world=3) for rank in range(3)]
    seen = [index for sampler in ranks for batch in take(sampler, 4) for index in batch]
    assert ranks[0].batches_per_epoch == 4
    assert len(seen) == len(set(seen)) == 48


def test_ranks_together_see_the_clips_of_one_large_batch() -> None:
    whole = take(StepSampler(50, 8, seed=1), 6)
    parts = [take(StepSampler(50, 4, seed=1, rank=rank, world=2), 6) for rank in range(2)]
    assert whole == [left + right for left, right in zip(*parts, strict=True)]


@pytest.mark.parametrize("start", [0, 5, 12, 31])
def test_resuming_continues_exactly(start: int) -> None:
    whole = take(StepSampler(50, 4, seed=2), 40)
    assert take(StepSampler(50, 4, seed=2, first_batch=start), 40 - start) == whole[start:]


def test_a_batch_can_be_asked_for_in_any_order() -> None:
    sampler = StepSampler(50, 4, seed=2)
    forwards = [sampler.batch(number) for number in range(30)]
    assert [sampler.batch(number) for number in reversed(range(30))] == forwards[::-1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_clips": 7, "batch_size": 4, "world": 2}, "7 training clips do not fill one batch of 4"),
        ({"num_clips": 7, "batch_size": 0}, "batch_size is 0"),
        ({"num_clips": 7, "batch_size": 1, "rank": 2, "world": 2}, "rank is 2 of 2"),
        ({"num_clips": 7, "batch_size": 1, "first_batch": -1}, "first_batch is -1"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(UserError, match=message):
        StepSampler(seed=0, **arguments)


@pytest.mark.parametrize(("num_clips", "world"), [(10, 1), (10, 3), (2, 4), (0, 2)])
def test_shards_hold_every_clip_once(num_clips: int, world: int) -> None:
    shards = [ShardSampler(num_clips, rank, world) for rank in range(world)]
    seen = [index for shard in shards for index in shard]
    assert sorted(seen) == list(range(num_clips))
    assert [len(shard) for shard in shards] == [len(list(shard)) for shard in shards]


def test_draws_number_the_clips_of_a_run() -> None:
    ranks = [StepSampler(50, 4, seed=1, rank=rank, world=2) for rank in range(2)]
    assert [sampler.draws(number) for number in range(2) for sampler in ranks] == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9, 10, 11],
        [12, 13, 14, 15],
    ]
    assert ranks[1].draws(1000) == [8004, 8005, 8006, 8007]


def test_weights_of_clips_equal_the_study(golden: Golden) -> None:
    case = golden("data")
    weights = clip_weights([5, 9, 4], [0.2, 0.6, 0.2])
    assert np.allclose(weights, case["sample_weights"], rtol=1e-12)
    for epoch in (0, 3):
        drawn = np.random.default_rng(epoch).choice(18, size=18, replace=True, p=weights)
        for rank in range(2):
            assert drawn[rank::2].tolist() == case[f"sampler_rank{rank}_epoch{epoch}"].tolist()


def test_sources_have_their_share_and_clips_of_a_source_are_equal() -> None:
    sampler = WeightedStepSampler([5, 900, 4, 10], [0.2, 0.6, 0.2, 0.0], 100, seed=0)
    drawn = np.array([index for batch in islice(sampler, 300) for index in batch])
    shares = [np.mean((drawn >= low) & (drawn < high)) for low, high in ((0, 5), (5, 905), (905, 909), (909, 919))]
    assert np.allclose(shares, [0.2, 0.6, 0.2, 0.0], atol=0.015)
    assert shares[3] == 0
    counts = np.bincount(drawn[drawn < 5], minlength=5)
    assert counts.min() > 0.85 * counts.max()


def test_a_mixture_is_random_access_and_its_ranks_share_a_batch() -> None:
    options = ([5, 9, 4], [0.2, 0.6, 0.2])
    whole = take(WeightedStepSampler(*options, 8, seed=1), 6)
    parts = [take(WeightedStepSampler(*options, 4, seed=1, rank=rank, world=2), 6) for rank in range(2)]
    assert whole == [left + right for left, right in zip(*parts, strict=True)]
    assert take(WeightedStepSampler(*options, 8, seed=1, first_batch=4), 2) == whole[4:]
    assert WeightedStepSampler(*options, 8, seed=1).batch(5) == whole[5]
    assert take(WeightedStepSampler(*options, 8, seed=2), 6) != whole


def test_batches_of_one_kind_keep_the_shares() -> None:
    sampler = WeightedStepSampler([50, 90, 40], [0.2, 0.2, 0.6], 10, seed=0, kinds=[0, 1, 0])
    batches = [np.array(batch) for batch in islice(sampler, 2000)]
    second = [(batch >= 50) & (batch < 140) for batch in batches]
    assert all(chosen.all() or not chosen.any() for chosen in second)
    drawn = np.concatenate(batches)
    shares = [np.mean((drawn >= low) & (drawn < high)) for low, high in ((0, 50), (50, 140), (140, 180))]
    assert np.allclose(shares, [0.2, 0.2, 0.6], atol=0.03)
    parts = [WeightedStepSampler([50, 90, 40], [0.2, 0.2, 0.6], 5, 0, rank, 2, kinds=[0, 1, 0]) for rank in range(2)]
    assert batches[7].tolist() == parts[0].batch(7) + parts[1].batch(7)


@pytest.mark.parametrize(
    ("sizes", "weights", "message"),
    [
        ([5, 0], [0.5, 0.5], r"sources of \[5, 0\] clips"),
        ([5, 5], [0.5], "do not match 2 sources"),
        ([5, 5], [0.5, -0.5], "weights are"),
        ([5, 5], [0.0, 0.0], "weights are"),
        ([5, 5], [0.5, float("inf")], "weights are"),
    ],
)
def test_bad_mixtures_are_named(sizes: list[int], weights: list[float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        WeightedStepSampler(sizes, weights, 4, seed=0)
