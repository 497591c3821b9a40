"""A mixture without replacement: shares by weight, every clip once a pass, batches by their number alone."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from data_modules.mixing.mixture_order import MixtureStepSampler
from vjepa.errors import UserError

SIZES, WEIGHTS = [50, 90, 40], [0.2, 0.6, 0.2]


def test_each_source_is_used_up_before_a_clip_returns() -> None:
    drawn = np.concatenate(list(islice(MixtureStepSampler(SIZES, WEIGHTS, 8, seed=0), 1000)))
    passes = []
    for first, size, weight in zip((0, 50, 140), SIZES, WEIGHTS):
        mine = drawn[(drawn >= first) & (drawn < first + size)]
        assert abs(len(mine) / len(drawn) - weight) < 0.02
        turns = [mine[start : start + size] for start in range(0, len(mine) - size, size)]
        assert len(turns) > 20 and all(len(set(turn.tolist())) == size for turn in turns)
        passes.append([turn.tolist() for turn in turns[:2]])
    assert all(first != second for first, second in passes), "every pass has an order of its own"


def test_a_batch_depends_on_its_number_alone() -> None:
    sampler = MixtureStepSampler(SIZES, WEIGHTS, 7, seed=3)
    whole = list(islice(sampler, 300))
    again = MixtureStepSampler(SIZES, WEIGHTS, 7, seed=3)
    assert [again.batch(number) for number in reversed(range(300))] == whole[::-1]
    assert list(islice(MixtureStepSampler(SIZES, WEIGHTS, 7, seed=3, first_batch=123), 177)) == whole[123:]
    assert MixtureStepSampler(SIZES, WEIGHTS, 7, seed=4).batch(0) != whole[0]


def test_ranks_share_the_batches_of_one() -> None:
    whole = list(islice(MixtureStepSampler(SIZES, WEIGHTS, 12, seed=1), 50))
    ranks = [MixtureStepSampler(SIZES, WEIGHTS, 4, seed=1, rank=rank, world=3) for rank in range(3)]
    assert [[index for rank in ranks for index in rank.batch(number)] for number in range(50)] == whole
    assert all(len(set(batch)) >= 11 for batch in whole), "a clip returns only where a pass ends within a batch"


def test_batches_of_one_kind_keep_the_shares() -> None:
    sampler = MixtureStepSampler(SIZES, [0.2, 0.2, 0.6], 10, seed=0, kinds=[0, 1, 0])
    batches = [np.array(batch) for batch in islice(sampler, 2000)]
    second = [(batch >= 50) & (batch < 140) for batch in batches]
    assert all(chosen.all() or not chosen.any() for chosen in second)
    assert abs(np.mean(second) - 0.2) < 0.03


def test_a_source_of_weight_zero_is_never_drawn() -> None:
    sampler = MixtureStepSampler(SIZES, [0.0, 1.0, 0.0], 10, seed=0)
    assert {50 <= index < 140 for batch in islice(sampler, 100) for index in batch} == {True}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sizes": [5, 0]}, r"sources of \[5, 0\] clips"),
        ({"weights": [0.0, 0.0]}, "weights are"),
        ({"kinds": [0]}, "do not match 2 sources"),
        ({"batch_size": 0}, "batch_size is 0"),
    ],
)
def test_bad_arguments_are_named(change: dict[str, object], message: str) -> None:
    options: dict[str, object] = {"sizes": [5, 5], "weights": [1.0, 1.0], "batch_size": 2, "seed": 0}
    with pytest.raises(UserError, match=message):
        MixtureStepSampler(**options | change)  # type: ignore[arg-type]
