"""Which clips of a split are read, and reading them ahead of whoever works on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor
from torch.utils.data import Sampler

from data_modules.clips.broken import BrokenFile
from data_modules.clips.datasets import ClipDataset
from data_modules.clips.loaders import EvaluationLoader
from vjepa.errors import UserError
from vjepa.latents import Clip


def choose_indices(dataset: ClipDataset, limit: int | None, seed: int = 0) -> Tensor:
    """Return a fixed random subset of a data set, ascending; a larger limit contains the smaller one.

    Args:
        dataset: the split.
        limit: most clips to keep, or None for all.
        seed: names the subset; the global random state is not used.

    Returns:
        (n,) int64.
    """
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(dataset), generator=generator)
    return order[:limit].sort().values


def left_out(dataset: ClipDataset, positions: Tensor) -> Tensor:
    """Which of the clips were left out as broken, as far as is known, (n,) bool."""
    log = dataset.broken
    if not len(log):
        return torch.zeros(len(positions), dtype=torch.bool)
    return torch.tensor([log.is_left_out(dataset.listed_id(index)) for index in positions.tolist()], dtype=torch.bool)


def broken_files(dataset: ClipDataset, positions: Tensor) -> dict[int, BrokenFile]:
    """The files that were left out, by their place among ``positions``."""
    return {
        place: dataset.broken.found[dataset.listed_id(int(positions[place]))]
        for place in left_out(dataset, positions).nonzero()[:, 0].tolist()
    }


def changed(dataset: ClipDataset, position: int) -> UserError:
    """The error for a clip that cannot be read any more."""
    listed = dataset.listed_id(position)
    what = dataset.broken.error(listed) if listed in dataset.broken.found else f"clip {listed}"
    return UserError(
        f"{what}; it could be read earlier in this evaluation, and all encoders must see the same clips: mend it, or "
        "repeat the evaluation without it"
    )


def read_chunks(
    dataset: ClipDataset, chunks: Sequence[Tensor], wanted: Sequence[int], num_workers: int = 0
) -> Iterator[tuple[int, Clip]]:
    """Read chunks of clips, the next one while the last one is worked on; broken clips are left out.

    Args:
        dataset: the split.
        chunks: positions of the clips of each chunk; only the last may be smaller.
        wanted: numbers of the chunks to read, ascending.
        num_workers: loader processes; 0 reads in a thread.

    Yields:
        The number of each wanted chunk and its clips, of which there may be none.

    Raises:
        UserError: a loader process hangs or dies.
    """
    if num_workers and wanted:
        yield from _read_in_processes(dataset, chunks, wanted, num_workers)
        return
    with ThreadPoolExecutor(max_workers=1) as reader:
        coming: Future[Clip] | None = None
        for place, number in enumerate(wanted):
            clip = (coming or reader.submit(dataset.fetch, chunks[number])).result()
            following = wanted[place + 1 : place + 2]
            coming = reader.submit(dataset.fetch, chunks[following[0]]) if following else None
            yield number, clip


class _Listed(Sampler[int]):
    """Positions in a given order."""

    def __init__(self, positions: list[int]) -> None:
        self._positions = positions

    def __iter__(self) -> Iterator[int]:
        return iter(self._positions)

    def __len__(self) -> int:
        return len(self._positions)


def _read_in_processes(
    dataset: ClipDataset, chunks: Sequence[Tensor], wanted: Sequence[int], num_workers: int
) -> Iterator[tuple[int, Clip]]:
    chunk_of = {position: number for number in wanted for position in chunks[number].tolist()}
    loader = EvaluationLoader(
        dataset,
        _Listed(torch.cat([chunks[number] for number in wanted]).tolist()),
        len(chunks[wanted[0]]),
        num_workers=min(num_workers, len(wanted)),
        timeout=300.0,
    )
    waiting = list(wanted)
    # The loader hands over no batch of which every clip is broken.
    nothing = Clip(torch.empty(0, 0, 0, 0, 3, dtype=torch.uint8), torch.empty(0, dtype=torch.int64), dataset.labels[:0])
    for clip in loader:
        number = chunk_of[int(clip.index[0])]
        while waiting[0] != number:
            yield waiting.pop(0), nothing
        yield waiting.pop(0), clip
    while waiting:
        yield waiting.pop(0), nothing
