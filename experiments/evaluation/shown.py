"""Test clips as they are shown: clean, and damaged where the protocol says.

What acts on the frames of a video, before sampling and cropping, is made as the clip is read, from one decode for all
such conditions and all views; the frames of the video are then let go. Anything else acts on the batch.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from data_modules.clips.datasets import ClipDataset
from data_modules.decode.frames import BrokenVideo
from experiments.evaluation.conditions import CLEAN, Condition, show
from experiments.evaluation.features.reading import read_chunks
from vjepa.corruptions import corrupt_source, corruption
from vjepa.latents import Clip

_Staged = dict[Condition, Tensor]
"""Under each condition the views of one video, (V, F, H_px, W_px, 3), or those of a chunk, (B, F, H_px, W_px, 3)."""


@dataclass(frozen=True)
class Shown:
    """A chunk of clips that can be shown under any of the conditions it was read for.

    Args:
        clip: B clips as they are, all V views of a video one after the other; there may be none.
        data_name: with the ids of the videos the key of random draws, which the views of a video share.
        video_ids: B, each V times.
        staged: (B, F, H_px, W_px, 3) uint8 under each condition that acts on the frames of a video.
    """

    clip: Clip
    data_name: str
    video_ids: tuple[str, ...]
    staged: Mapping[Condition, Tensor] = field(default_factory=dict)

    def under(self, condition: Condition) -> Tensor:
        """The clips under a condition, (B, F, H_px, W_px, 3) uint8."""
        if condition in self.staged:
            return self.staged[condition]
        return show(self.clip.frames, condition, self.data_name, self.video_ids)


def acts_on_video(condition: Condition) -> bool:
    """Whether a condition acts on the frames of a video, before a clip is sampled and cropped."""
    return condition != CLEAN and corruption(condition[0]).stage in ("native", "source")


def read_shown(
    dataset: ClipDataset,
    chunks: Sequence[Tensor],
    wanted: Sequence[int],
    conditions: Sequence[Condition],
    data_name: str,
    num_threads: int = 1,
) -> Iterator[tuple[int, Shown]]:
    """Read chunks of clips, the next one while the last one is worked on; broken clips are left out.

    Args:
        dataset: the split.
        chunks: positions of the clips of each chunk.
        wanted: numbers of the chunks to read, ascending.
        conditions: under which the clips will be shown.
        data_name: key of the random draws.
        num_threads: clips decoded and compressed at a time, >= 1; each holds the frames of its video meanwhile.

    Yields:
        The number of each wanted chunk and all views of its clips, of which there may be none.
    """
    staged = [condition for condition in conditions if acts_on_video(condition)]
    read: Iterator[tuple[int, Clip, _Staged]]
    if staged or dataset.views.num_views > 1:
        read = _read_staged(dataset, chunks, wanted, staged, data_name, num_threads)
    else:
        read = ((number, clip, {}) for number, clip in read_chunks(dataset, chunks, wanted))
    for number, clip, made in read:
        names = tuple(dataset.video_ids[position] for position in clip.index.tolist())
        yield number, Shown(clip, data_name, names, made)


def _read_staged(
    dataset: ClipDataset,
    chunks: Sequence[Tensor],
    wanted: Sequence[int],
    conditions: Sequence[Condition],
    data_name: str,
    num_threads: int,
) -> Iterator[tuple[int, Clip, _Staged]]:
    pool = ThreadPoolExecutor(num_threads, "staged")

    def start(number: int) -> dict[int, Future[_Staged]]:
        """Start reading a chunk; what is known to be broken stays out."""
        return {
            position: pool.submit(_read_one, dataset, position, conditions, data_name)
            for position in chunks[number].tolist()
            if not dataset.broken.is_left_out(dataset.listed_id(position))
        }

    # One chunk ahead; of small chunks as many as keep all threads at work.
    ahead = max([1, *(-(-num_threads // len(chunks[number])) for number in wanted[:1])])
    started = ((number, start(number)) for number in wanted)
    coming = deque[tuple[int, dict[int, Future[_Staged]]]](islice(started, ahead))
    try:
        while coming:
            number, current = coming.popleft()
            coming.extend(islice(started, 1))
            yield number, *_collected(dataset, current)
    finally:
        pool.shutdown(cancel_futures=True)


def _read_one(dataset: ClipDataset, position: int, conditions: Sequence[Condition], data_name: str) -> _Staged:
    """The views of a video, as they are and under every condition."""
    if not conditions:
        return {CLEAN: dataset.read_views(position)}
    made: dict[Condition, list[NDArray[np.uint8]]] = {condition: [] for condition in (CLEAN, *conditions)}
    for source in dataset.read_sources(position):
        made[CLEAN].append(source.clip())
        for condition in conditions:
            made[condition].append(corrupt_source(source, *condition, data_name, dataset.video_ids[position]))
        del source  # its frames, before those of the next clip are taken
    crops = dataset.views.crops
    return {
        condition: torch.from_numpy(np.concatenate([crops(clip) for clip in clips]))
        for condition, clips in made.items()
    }


def _collected(dataset: ClipDataset, reading: dict[int, Future[_Staged]]) -> tuple[Clip, _Staged]:
    found: dict[int, _Staged] = {}
    while reading:
        position = next(iter(reading))
        try:
            found[position] = reading.pop(position).result()
        except BrokenVideo as error:
            dataset.broken.add(dataset.listed_id(position), error, "left out")
    if not found:
        return dataset.fetch([]), {}
    chosen = torch.tensor(list(found)).repeat_interleave(dataset.views.num_views)
    videos = list(found.values())
    stacked = {condition: _join([made.pop(condition) for made in videos]) for condition in list(videos[0])}
    return Clip(stacked.pop(CLEAN), chosen, dataset.labels[chosen]), stacked


def _join(videos: Sequence[Tensor]) -> Tensor:
    """Make a batch of the views (V, F, H_px, W_px, 3) of each; an image beside videos is a still video."""
    longest = max(views.shape[1] for views in videos)
    return torch.cat([views.expand(-1, longest, -1, -1, -1) for views in videos])
