"""Data sets of labelled clips; nothing here needs Lightning."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset, get_worker_info

from data_modules.clips.broken import BrokenFile, BrokenLog
from data_modules.clips.views import ONE_VIEW, EvaluationViews
from data_modules.decode.frames import BrokenVideo
from vjepa.corruptions.source import SourceClip
from vjepa.errors import UserError
from vjepa.latents import Clip

Sample = tuple[Tensor, int, Tensor]

_NOTHING = torch.empty(0, 0, 0, 0, 3, dtype=torch.uint8)


class Batch(NamedTuple):
    """What a loader process hands over.

    Args:
        clip: the clips that could be read; there may be none.
        broken: files that were found broken on the way.
        num_broken: how often a broken file was met on the way.
        num_asked: clips that were asked for.
    """

    clip: Clip
    broken: tuple[BrokenFile, ...]
    num_broken: int
    num_asked: int


@dataclass(frozen=True)
class Task:
    """One question about a clip: a column of ``Clip.labels``.

    Args:
        name: of the task.
        classes: names of its classes, in the order of the labels.
        temporal: whether a single frame cannot answer it.
    """

    name: str
    classes: tuple[str, ...]
    temporal: bool


class ClipDataset(Dataset[Sample], ABC):
    """The clips of one split, in a fixed order.

    Files that cannot be read are listed in ``broken``, under their id. A clip is the first of the ``views`` of a video;
    ``read_views`` and ``read_sources`` give all of them, V = C * K.

    Args:
        split: train, val or test.
        tasks: Q tasks.
        video_ids: n stable names.
        labels: (n, Q) int64; -1 where a task does not apply.
    """

    views: EvaluationViews = ONE_VIEW

    def __init__(self, split: str, tasks: tuple[Task, ...], video_ids: tuple[str, ...], labels: Tensor) -> None:
        self.split = split
        self.tasks = tasks
        self.video_ids = video_ids
        self.labels = labels
        self.broken = BrokenLog(split=split)
        self._listed_below = ""

    def list_broken_in(self, log: BrokenLog, name: str) -> None:
        """List broken files in the log of a mixture, under ``name/id``."""
        self.broken, self._listed_below = log, f"{name}/"

    def listed_id(self, index: int) -> str:
        """Return the id under which ``broken`` lists a clip."""
        return self._listed_below + self.video_ids[index]

    @abstractmethod
    def read(self, indices: Tensor) -> Tensor:
        """Return the frames of clips, (b,) int64 with b >= 1 -> (b, F, H, W, 3) uint8.

        Raises:
            BrokenVideo: one of them cannot be read.
        """

    def read_source(self, index: int) -> SourceClip:
        """Return one clip, the same as ``read`` gives, with the frames of its video that corruptions act on.

        Here the clip is all there is of the video; a data set that decodes videos overrides this. May be called by
        several threads at once.

        Raises:
            BrokenVideo: it cannot be read.
        """
        return SourceClip.of_clip(self.read(torch.tensor([index]))[0].numpy())

    def read_views(self, index: int) -> Tensor:
        """Return all views of one video, (V, F, H, W, 3) uint8, from one decode; the first is what ``read`` gives.

        A data set of more views than one overrides this. May be called by several threads at once.

        Raises:
            BrokenVideo: it cannot be read.
        """
        return self.read(torch.tensor([index]))

    def read_sources(self, index: int) -> Iterator[SourceClip]:
        """Return the C clips of one video as ``read_source`` gives the first, from one decode.

        Their frames show the K crops one below the other, for ``views.crops`` to take apart. A data set of more views
        than one overrides this. May be called by several threads at once.

        Raises:
            BrokenVideo: it cannot be read.
        """
        return iter([self.read_source(index)])

    def fetch(self, indices: Tensor | Sequence[int]) -> Clip:
        """Return several clips as one batch, read together, for evaluation.

        Args:
            indices: b positions in the split.

        Returns:
            Clip of b clips, or of fewer: a clip whose file is broken is left out and never replaced.
        """
        chosen = torch.as_tensor(indices, dtype=torch.int64, device="cpu")
        chosen = self._without_left_out(chosen)
        try:
            frames = self.read(chosen) if len(chosen) else _NOTHING
        except BrokenVideo:
            for index in chosen.tolist():
                try:
                    self.read(torch.tensor([index]))
                except BrokenVideo as error:
                    self.broken.add(self.listed_id(index), error, "left out")
            chosen = self._without_left_out(chosen)
            frames = self.read(chosen) if len(chosen) else _NOTHING
        return Clip(frames, chosen, self.labels[chosen])

    def _without_left_out(self, indices: Tensor) -> Tensor:
        if not len(self.broken):
            return indices
        return torch.tensor(
            [index for index in indices.tolist() if not self.broken.is_left_out(self.listed_id(index))],
            dtype=torch.int64,
        )

    def fetch_training(self, indices: Sequence[int], draws: Sequence[int]) -> Clip:
        """Return a training batch; a data set that changes clips at random overrides this.

        Args:
            indices: b positions in the split.
            draws: b numbers, each used once in a run: a random choice may depend on them, never on workers.

        Returns:
            Clip of b clips, here as ``fetch`` gives them.
        """
        return self.fetch(indices)

    def __len__(self) -> int:
        return len(self.video_ids)

    def __getitem__(self, index: int) -> Sample:
        clip = self.fetch([index])
        if not len(clip):
            raise self.broken.error(self.listed_id(index))
        return clip.frames[0], index, clip.labels[0]

    def __getitems__(self, indices: list[int]) -> list[Any]:
        return [read_batch(self, lambda: self.fetch(indices), len(indices))]


def read_batch(dataset: ClipDataset, fetch: Callable[[], Clip], num_asked: int) -> Batch | UserError:
    """Read a batch; a loader process hands over an error, which torch would turn into text."""
    met = dataset.broken.num_met
    try:
        clip = fetch()
    except UserError as error:
        if get_worker_info() is None:
            raise
        return error
    return Batch(clip, dataset.broken.take_new(), dataset.broken.num_met - met, num_asked)


def collate(samples: Sequence[Any]) -> Clip:
    """Return the clips of a batch of a ``ClipDataset``, for a loader of another kind than those below.

    Raises:
        UserError: a file is broken: such a loader would lose it without a word.
    """
    batch = samples[0]
    if isinstance(batch, UserError):
        raise batch
    if not isinstance(batch, Batch):
        frames, indices, labels = zip(*samples, strict=True)
        return Clip(torch.stack(frames), torch.tensor(indices, dtype=torch.int64), torch.stack(labels))
    if len(batch.clip) < batch.num_asked:
        raise UserError(
            f"{batch.num_asked - len(batch.clip)} of {batch.num_asked} clips of a batch are broken, as was warned; an "
            "EvaluationLoader leaves them out and counts them"
        )
    return batch.clip
