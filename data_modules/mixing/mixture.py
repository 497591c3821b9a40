"""Several data sets as one: clips of all of them, each with the labels of its own tasks."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate

import torch
from torch import Tensor

from data_modules.clips.datasets import ClipDataset, Task
from vjepa.corruptions.source import SourceClip
from vjepa.errors import UserError
from vjepa.latents import Clip


class Mixture(ClipDataset):
    """The clips of several data sets, one after the other.

    A task of one of them is a task of the mixture, ``<name>`` or ``<name>/<task>`` where it has several; the clips of
    all others are labelled -1 there.

    Args:
        split: train, val or test.
        names: of the sources, all different.
        sources: their clips: videos of F frames or images of one.
        num_frames: F.
        size: height and width of all clips in pixels.
        single_images: whether a batch of images only has one frame; otherwise an image is a still video.

    Raises:
        UserError: the sources show different views of a video.
    """

    def __init__(
        self,
        split: str,
        names: Sequence[str],
        sources: Sequence[ClipDataset],
        num_frames: int,
        size: int,
        single_images: bool = False,
    ) -> None:
        columns = [mixture_tasks(name, source.tasks) for name, source in zip(names, sources, strict=True)]
        tasks = tuple(task for column in columns for task in column)
        labels = torch.full((sum(map(len, sources)), len(tasks)), -1, dtype=torch.int64)
        self._bounds = (0, *accumulate(map(len, sources)))
        first = 0
        for column, source, start, end in zip(columns, sources, self._bounds, self._bounds[1:]):
            labels[start:end, first : first + len(column)] = source.labels
            first += len(column)
        ids = tuple(f"{name}/{video_id}" for name, source in zip(names, sources) for video_id in source.video_ids)
        super().__init__(split, tasks, ids, labels)
        self.sources, self.views = tuple(sources), sources[0].views
        for name, source in zip(names, sources):
            if source.views != self.views:
                raise UserError(
                    f"{name}: {source.views.num_clips} x {source.views.num_crops} views of a {split} video, "
                    f"{names[0]} has {self.views.num_clips} x {self.views.num_crops}; give eval_clips and eval_crops "
                    "to the mixture, not to its parts"
                )
        for name, source in zip(names, sources):
            source.list_broken_in(self.broken, name)
        self._names = tuple(names)
        self._shape = (num_frames, size, size, 3)
        self._single_images = single_images

    def read(self, indices: Tensor) -> Tensor:
        """Return the frames of evaluation clips, (b,) int64 -> (b, F, size, size, 3) uint8; F is 1 for images alone."""
        found = [self._find(int(index)) for index in indices]
        read = [(number, self.sources[number].read(torch.tensor([place]))) for number, place in found]
        return self._stack([self._checked(number, batch[0]) for number, batch in read])

    def read_source(self, index: int) -> SourceClip:
        """Return a clip, as ``read`` gives it, with the frames of its video that corruptions act on."""
        number, place = self._find(index)
        source = self.sources[number].read_source(place)
        self._checked(number, torch.from_numpy(source.clip()))
        return self._extended(source)

    def read_views(self, index: int) -> Tensor:
        """Return all views of a video, (V, F, size, size, 3) uint8, or of one frame as ``read`` has it."""
        number, place = self._find(index)
        views = self.sources[number].read_views(place)
        self._checked(number, views[0])
        return views if self._single_images else views.expand(-1, *self._shape)

    def read_sources(self, index: int) -> Iterator[SourceClip]:
        """Yield all clips of a video with the frames of it that corruptions act on, from one decode."""
        number, place = self._find(index)
        for source in self.sources[number].read_sources(place):
            self._checked(number, torch.from_numpy(self.views.crops(source.clip())[0]))
            yield self._extended(source)

    def _extended(self, source: SourceClip) -> SourceClip:
        """An image among videos as a still video."""
        if len(source.sampled) == 1 and not self._single_images:
            return replace(source, sampled=source.sampled.repeat(self._shape[0]))
        return source

    def fetch_training(self, indices: Sequence[int], draws: Sequence[int]) -> Clip:
        """Return a training batch; each clip is read, and perhaps replaced, by the data set that it belongs to."""
        frames: list[Tensor] = []
        used: list[int] = []
        for index, draw in zip(indices, draws, strict=True):
            number, place = self._find(index)
            clip = self.sources[number].fetch_training([place], [draw])
            frames.append(self._checked(number, clip.frames[0]))
            used.append(self._bounds[number] + int(clip.index[0]))
        chosen = torch.tensor(used, dtype=torch.int64)
        return Clip(self._stack(frames), chosen, self.labels[chosen])

    def _find(self, index: int) -> tuple[int, int]:
        """Return the source of a clip, and its position there."""
        number = bisect_right(self._bounds, index) - 1
        return number, index - self._bounds[number]

    def _checked(self, number: int, frames: Tensor) -> Tensor:
        """A clip of a source, which may be an image."""
        if tuple(frames.shape) not in (self._shape, (1, *self._shape[1:])):
            raise UserError(
                f"{self._names[number]}: a clip has the shape {tuple(frames.shape)}; the mixture needs {self._shape}: "
                "give all its parts one num_frames and one size"
            )
        return frames

    def _stack(self, clips: list[Tensor]) -> Tensor:
        if self._single_images and all(len(clip) == 1 for clip in clips):
            return torch.stack(clips)
        return torch.stack([clip.expand(self._shape) for clip in clips])


def mixture_tasks(name: str, tasks: Sequence[Task]) -> tuple[Task, ...]:
    """Return the tasks of one source under the names that they have in a mixture."""
    if len(tasks) == 1:
        return (Task(name, tasks[0].classes, tasks[0].temporal),)
    return tuple(Task(f"{name}/{task.name}", task.classes, task.temporal) for task in tasks)
