"""A weighted mixture in which no clip returns before its source is used up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from data_modules.mixing.order import EndlessSampler, clip_weights
from vjepa.errors import UserError

# The generator yields numbers four at a time; a batch takes whole fours, so that it can be asked for by its place.
_STRIDE = 4
_CHUNK = 2**20


class MixtureStepSampler(EndlessSampler):
    """Clips of several sources; source d has its share w_d of the clips and goes through its own in random order.

    The source of every place in a run is drawn by weight; the k-th place of source d takes the k-th clip of its
    permutations, one after the other, each drawn from (seed, d, pass). Rank ``r`` takes the r-th part of a global
    batch.

    Args:
        sizes: n_d, clips of each source, >= 1; the sources follow one another in the data set.
        weights: w_d, share of each source, >= 0 and not all 0.
        batch_size, seed, rank, world, first_batch: as ``EndlessSampler``.
        kinds: of the sources; a global batch then holds one kind, which is drawn by weight too. None mixes all.

    Raises:
        UserError: a value is out of range.
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
        clip_weights(sizes, weights)  # for what it refuses
        if kinds is not None and len(kinds) != len(sizes):
            raise UserError(f"kinds {list(kinds)} do not match {len(sizes)} sources")
        shares = np.asarray(weights, dtype=np.float64)
        kind_of = np.zeros(len(sizes), np.int64) if kinds is None else np.asarray(kinds)
        self._sizes = np.asarray(sizes, dtype=np.int64)
        self._starts = np.cumsum(self._sizes) - self._sizes
        # One row per kind: the sums of the weights of its sources, up to each source.
        self._sums = np.stack([np.cumsum(np.where(kind_of == kind, shares, 0.0)) for kind in np.unique(kind_of)])
        self._num_drawn = -(-(1 + batch_size * world) // _STRIDE) * _STRIDE
        self._counted, self._counts = 0, np.zeros(len(sizes), dtype=np.int64)
        self._permutations: dict[tuple[int, int], NDArray[np.int64]] = {}

    def batch(self, number: int) -> list[int]:
        """Return the indices of batch ``number`` (counted from 0) of this rank."""
        before = self._counts_before(number)
        sources = self._sources(number, 1)[0]
        # How often the source of a place was drawn before it, in this batch and all earlier ones.
        taken = (before[sources] + _earlier(sources)).tolist()
        mine = slice(self.rank * self.batch_size, (self.rank + 1) * self.batch_size)
        return [self._clip(source, k) for source, k in zip(sources.tolist()[mine], taken[mine], strict=True)]

    def _clip(self, source: int, k: int) -> int:
        """Return the k-th clip that a source contributes to the run."""
        turn, place = divmod(k, int(self._sizes[source]))
        key = (source, turn)
        if key not in self._permutations:
            # A batch may reach into the next pass, and the batches of other workers lie close to this one.
            for old in [known for known in self._permutations if known[0] == source and known[1] != turn - 1]:
                del self._permutations[old]
            bits = np.random.Philox(np.random.SeedSequence([self.seed, 1, source, turn]))
            self._permutations[key] = np.random.Generator(bits).permutation(int(self._sizes[source]))
        return int(self._starts[source] + self._permutations[key][place])

    def _counts_before(self, number: int) -> NDArray[np.int64]:
        """Return how often each source was drawn in the global batches before ``number``."""
        if number < self._counted:
            self._counted, self._counts = 0, np.zeros_like(self._counts)
        step = max(1, _CHUNK // self._num_drawn)
        while self._counted < number:
            count = min(step, number - self._counted)
            sources = self._sources(self._counted, count)
            self._counts = self._counts + np.bincount(sources.ravel(), minlength=len(self._counts))
            self._counted += count
        return self._counts

    def _sources(self, first: int, count: int) -> NDArray[np.int64]:
        """Return the sources of global batches, (count, batch_size * world)."""
        bits = np.random.Philox(np.random.SeedSequence([self.seed, 0]))
        bits.advance(first * self._num_drawn // _STRIDE)
        drawn = np.random.Generator(bits).random((count, self._num_drawn))[:, : 1 + self.batch_size * self.world]
        totals = np.cumsum(self._sums[:, -1])
        kinds = np.searchsorted(totals, drawn[:, 0] * totals[-1], side="right")
        sources = np.empty((count, self.batch_size * self.world), dtype=np.int64)
        for kind, sums in enumerate(self._sums):
            chosen = kinds == kind
            sources[chosen] = np.searchsorted(sums, drawn[chosen, 1:] * sums[-1], side="right")
        return sources


def _earlier(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return, for each value, how many equal ones stand before it."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    is_first = np.r_[True, ordered[1:] != ordered[:-1]]
    places = np.arange(len(values))
    earlier = np.empty(len(values), dtype=np.int64)
    earlier[order] = places - np.maximum.accumulate(np.where(is_first, places, 0))
    return earlier
