"""Which clips a rank sees, and when: pure functions of the seed and of positions, never of worker counts."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DistributedSampler, Sampler

from vjepa.errors import UserError


class EndlessSampler(Sampler[list[int]], ABC):
    """An endless batch sampler whose batch ``i`` depends on (seed, i, rank, world) alone.

    A resumed run starts at the number of batches it has consumed.

    Args:
        batch_size: clips per batch and rank, >= 1.
        seed: of the order, >= 0.
        rank, world: this process and the number of processes, 0 <= rank < world.
        first_batch: index of the first batch that is yielded, >= 0.

    Raises:
        UserError: a value is out of range.
    """

    def __init__(self, batch_size: int, seed: int, rank: int = 0, world: int = 1, first_batch: int = 0) -> None:
        if batch_size < 1:
            raise UserError(f"batch_size is {batch_size}; expected 1 or more")
        if not 0 <= rank < world:
            raise UserError(f"rank is {rank} of {world} processes; expected 0 <= rank < world")
        if seed < 0 or first_batch < 0:
            raise UserError(f"seed is {seed} and first_batch is {first_batch}; expected 0 or more")
        self.batch_size = batch_size
        self.seed = seed
        self.rank = rank
        self.world = world
        self.first_batch = first_batch

    @abstractmethod
    def batch(self, number: int) -> list[int]:
        """Return the indices of batch ``number`` (counted from 0 over all epochs) of this rank."""

    def draws(self, number: int) -> list[int]:
        """Return the places of these clips among all that the ranks see in a run, one after the other."""
        first = (number * self.world + self.rank) * self.batch_size
        return list(range(first, first + self.batch_size))

    def __iter__(self) -> Iterator[list[int]]:
        number = self.first_batch
        while True:
            yield self.batch(number)
            number += 1


class StepSampler(EndlessSampler):
    """Every clip once an epoch.

    Epoch ``e`` is a permutation drawn from (seed, e), cut into global batches of
    ``batch_size * world`` clips; rank ``r`` takes the r-th part of each. The incomplete global batch
    at the end of an epoch is dropped.

    Args:
        num_clips: clips in the data set, at least ``batch_size * world``.
        batch_size, seed, rank, world, first_batch: as ``EndlessSampler``.

    Raises:
        UserError: a value is out of range.
    """

    def __init__(
        self, num_clips: int, batch_size: int, seed: int, rank: int = 0, world: int = 1, first_batch: int = 0
    ) -> None:
        super().__init__(batch_size, seed, rank, world, first_batch)
        if num_clips < batch_size * world:
            raise UserError(
                f"{num_clips} training clips do not fill one batch of {batch_size} on each of {world} "
                "processes; lower batch_size or use more clips"
            )
        self.num_clips = num_clips
        self._epoch = -1
        self._permutation = np.empty(0, dtype=np.int64)

    @property
    def batches_per_epoch(self) -> int:
        """Full global batches in one pass over the data."""
        return self.num_clips // (self.batch_size * self.world)

    def batch(self, number: int) -> list[int]:
        """Return the indices of batch ``number`` (counted from 0 over all epochs) of this rank."""
        epoch, position = divmod(number, self.batches_per_epoch)
        if epoch != self._epoch:
            bits = np.random.Philox(np.random.SeedSequence([self.seed, epoch]))
            self._permutation = np.random.Generator(bits).permutation(self.num_clips)
            self._epoch = epoch
        start = (position * self.world + self.rank) * self.batch_size
        return [int(index) for index in self._permutation[start : start + self.batch_size]]


def clip_weights(sizes: Sequence[int], weights: Sequence[float]) -> NDArray[np.float64]:
    """Return how often each clip of a mixture is drawn: w_d / n_d, made to add up to 1.

    Args:
        sizes: n_d, clips of each source, >= 1; the sources follow one another in the data set.
        weights: w_d, share of each source, >= 0 and not all 0.

    Returns:
        (sum of n_d,) float64.

    Raises:
        UserError: a value is out of range.

    Source: the study's weighted sampler; golden case data.npz, sample_weights.
    """
    if len(sizes) != len(weights) or not sizes:
        raise UserError(f"weights {list(weights)} do not match {len(sizes)} sources")
    if min(sizes) < 1:
        raise UserError(f"sources of {list(sizes)} clips: expected 1 or more each")
    if min(weights) < 0 or not 0 < sum(weights) < math.inf:
        raise UserError(f"weights are {list(weights)}; expected 0 or more, and not all 0")
    shares = np.asarray(weights, dtype=np.float64) / sum(weights)
    return np.repeat(shares / np.asarray(sizes), sizes)


class WeightedStepSampler(EndlessSampler):
    """Clips of several sources, drawn with replacement so that source d has its share w_d whatever its size.

    Global batch ``i`` is drawn from (seed, i); rank ``r`` takes the r-th part of it.

    Args:
        sizes, weights: of the sources, as ``clip_weights``.
        batch_size, seed, rank, world, first_batch: as ``EndlessSampler``.
        kinds: of the sources; a global batch then holds one kind, which is drawn by weight too. None mixes all.

    Raises:
        UserError: a value is out of range.

    Source: the study's weighted sampler.
    Differs: the order depends on the seed of the run; the study's is the same for all seeds.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        weights: Sequence[float],
        batch_size: int,
        seed: int,
        rank: int = 0,
        world: int = 1,
        first_batch: int = 0,
        kinds: Sequence[int] | None = None,
    ) -> None:
        super().__init__(batch_size, seed, rank, world, first_batch)
        by_clip = clip_weights(sizes, weights)
        kind_of_clip = np.repeat(np.zeros(len(sizes), np.int64) if kinds is None else np.asarray(kinds), sizes)
        # One entry per kind: its clips, and the sums of their weights.
        self._clips = [np.flatnonzero(kind_of_clip == kind) for kind in np.unique(kind_of_clip)]
        self._sums = [np.cumsum(by_clip[clips]) for clips in self._clips]

    def batch(self, number: int) -> list[int]:
        """Return the indices of batch ``number`` (counted from 0) of this rank."""
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([self.seed, number])))
        drawn = rng.random(1 + self.batch_size * self.world)
        kind = _pick(np.cumsum([sums[-1] for sums in self._sums]), drawn[:1])[0]
        first = 1 + self.rank * self.batch_size
        places = _pick(self._sums[kind], drawn[first : first + self.batch_size])
        return [int(index) for index in self._clips[kind][places]]


def _pick(sums: NDArray[np.float64], drawn: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the places where uniform draws fall among cumulative weights, whatever their total."""
    return np.searchsorted(sums, drawn * sums[-1], side="right")


class ShardSampler(DistributedSampler[int]):
    """Every clip exactly once over all ranks, in order, without padding.

    It is a ``DistributedSampler`` so that Lightning recognises it as sharded and leaves it alone.

    Args:
        num_clips: clips in the data set, >= 0.
        rank, world: this process and the number of processes, 0 <= rank < world.
    """

    def __init__(self, num_clips: int, rank: int = 0, world: int = 1) -> None:
        # torch wants something with a length; a meta tensor costs no memory.
        placeholder = torch.empty(num_clips, device="meta")
        super().__init__(placeholder, num_replicas=world, rank=rank, shuffle=False)  # type: ignore[arg-type]
        self._indices = range(rank, num_clips, world)

    def __iter__(self) -> Iterator[int]:
        return iter(self._indices)

    def __len__(self) -> int:
        return len(self._indices)
