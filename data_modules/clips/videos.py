"""Clips that are read from video and image files as they are asked for."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from data_modules.clips.augment import Augmentation
from data_modules.clips.datasets import ClipDataset, Task
from data_modules.clips.sampling import FrameSampling
from data_modules.clips.sources import image_source, video_sources
from data_modules.clips.views import ONE_VIEW, EvaluationViews
from data_modules.clips.watch import reading
from data_modules.decode.frames import BrokenVideo, uniform_indices
from data_modules.decode.images import is_image, read_image
from data_modules.decode.reader import Choose, View, read_clip
from data_modules.decode.truncated import cut_short
from vjepa.corruptions.source import SourceClip
from vjepa.errors import UserError
from vjepa.latents import Clip

_TIME, _SPACE, _REPLACEMENT = range(3)
_REPLACEMENTS = 10


@dataclass(frozen=True)
class VideoFile:
    """One file of a data set.

    Args:
        path: of the video, or of the image (jpg, jpeg, png).
        labels: one per task; -1 where a task does not apply.
        id: stable name, unique in the data set.
    """

    path: Path
    labels: tuple[int, ...]
    id: str


class VideoDataset(ClipDataset):
    """Clips of video and image files, decoded on demand.

    ``fetch`` gives evaluation clips: frames by ``evaluation`` over the whole video, short side resized, centre crop; a
    broken file is left out. ``fetch_training`` gives training clips: frames by ``sampling``, views by ``augmentation``;
    a broken file is replaced by another of its group. Which frames, which view and which replacement are functions of
    (seed, draw, file) alone. Both list the file in ``broken``. A file that was cut short is broken to evaluation;
    training uses what is left where a clip fits in. ``read_views`` gives all ``views`` of a video from one decode, and
    of an image as many, of which the clips are equal.

    An image is a still video of F equal frames, since a batch has one number of frames. It is a clip of one frame in a
    data set of images only and, with ``single_images``, in a batch of images only.

    Args:
        files: n files, n >= 1.
        tasks: Q tasks.
        split: train, val or test.
        num_frames: F, frames of a clip, >= 1.
        size: height and width in pixels, >= 1.
        sampling: of training clips, with the same F; None takes them as in evaluation.
        augmentation: of training clips; None takes the centre.
        seed: of the random choices, >= 0.
        evaluation: from (frames in the video, F) to frame numbers; a function of a module.
        group_sizes: sizes of the runs of files that replace one another, with sum n; None is one group.
        single_images: whether a batch of images only has one frame; groups must then hold one kind of file.
        views: for evaluation that averages over them; several clips need the default ``evaluation``.

    Raises:
        UserError: no files, labels that do not match the tasks, a repeated id or another F.
        ValueError: several clips by another rule.
    """

    def __init__(
        self,
        files: Sequence[VideoFile],
        tasks: tuple[Task, ...],
        split: str,
        num_frames: int,
        size: int,
        sampling: FrameSampling | None = None,
        augmentation: Augmentation | None = None,
        seed: int = 0,
        evaluation: Callable[[int, int], NDArray[np.int64]] = uniform_indices,
        group_sizes: Sequence[int] | None = None,
        single_images: bool = False,
        views: EvaluationViews = ONE_VIEW,
    ) -> None:
        if views.num_clips > 1 and evaluation is not uniform_indices:
            raise ValueError(f"{split}: several clips of a video are those between uniform_indices, not {evaluation}")
        sizes = [len(files)] if group_sizes is None else list(group_sizes)
        _check(files, tasks, split, num_frames, size, sampling, sizes)
        labels = torch.tensor([file.labels for file in files], dtype=torch.int64).reshape(len(files), len(tasks))
        super().__init__(split, tasks, tuple(file.id for file in files), labels)
        self.paths = tuple(str(file.path) for file in files)
        self.sampling, self.augmentation, self.evaluation = sampling, augmentation, evaluation
        self.size, self.seed, self.views = size, seed, views
        self._single_images = single_images or all(map(is_image, self.paths))
        self._clip_frames = num_frames
        self._bounds = (0, *accumulate(sizes))

    def read(self, indices: Tensor) -> Tensor:
        """Return the frames of evaluation clips, (b,) int64 -> (b, F, size, size, 3) uint8.

        Raises:
            BrokenVideo: a file is broken; it is never replaced.
        """
        return self._stack([self._read_whole(int(index)) for index in indices])

    def read_source(self, index: int) -> SourceClip:
        """Return an evaluation clip with the frames of its video that corruptions act on, decoded once.

        Raises:
            BrokenVideo: as ``read``.
        """
        return next(self._sources(index, ONE_VIEW))

    def read_views(self, index: int) -> Tensor:
        """Return all views of a file, (V, F, size, size, 3) uint8, or of one frame as ``read`` has it.

        Raises:
            BrokenVideo: as ``read``.
        """
        frames = self._read_whole(index, self.views).numpy()
        if is_image(self.paths[index]):
            clips = [self.views.crops(frames)] * self.views.num_clips
        else:
            clips = [self.views.crops(clip) for clip in np.split(frames, self.views.num_clips)]
        read = torch.from_numpy(np.concatenate(clips))
        return read if self._single_images else read.expand(-1, self._clip_frames, -1, -1, -1)

    def read_sources(self, index: int) -> Iterator[SourceClip]:
        """Return all clips of a file with the frames of it that corruptions act on, decoded once.

        Raises:
            BrokenVideo: as ``read``.
        """
        return iter([self.read_source(index)]) if self.views == ONE_VIEW else self._sources(index, self.views)

    def _sources(self, index: int, views: EvaluationViews) -> Iterator[SourceClip]:
        path = self.paths[index]
        if (cut := _cut_short(path)) is not None:
            raise cut

        def view_of(height: int, width: int) -> View:
            return views.view_of(height, width, self.size)

        with reading(path):
            if is_image(path):
                still = image_source(read_image(path), 1 if self._single_images else self._clip_frames, view_of)
                return iter([still] * views.num_clips)
            return video_sources(path, lambda num_available: self._clips(num_available, views), view_of)

    def _clips(self, num_available: int, views: EvaluationViews) -> NDArray[np.int64]:
        """(C, F) frames of the evaluation clips of a video."""
        if views.num_clips == 1:
            return self.evaluation(num_available, self._clip_frames)[None]
        return views.clips(num_available, self._clip_frames)

    def fetch_training(self, indices: Sequence[int], draws: Sequence[int]) -> Clip:
        """Return a batch of training clips.

        Args:
            indices: b positions in the split.
            draws: b numbers >= 0, each used once in a run: all random choices come from them.

        Returns:
            Clip of b clips; its index and labels are those of the files that were read.

        Raises:
            UserError: a file and all that were drawn to replace it are broken, or ``broken`` cannot be written.
        """
        pairs = [self._draw(int(index), int(draw)) for index, draw in zip(indices, draws, strict=True)]
        used = torch.tensor([index for index, _ in pairs], dtype=torch.int64)
        return Clip(self._stack([frames for _, frames in pairs]), used, self.labels[used])

    def _draw(self, index: int, draw: int) -> tuple[int, Tensor]:
        """Return the file that a draw ends up with, and its training clip."""
        first: BrokenVideo | None = None
        # A file that was broken for another draw is tried again, since only its end may be missing: what a draw gives
        # must not depend on what this process met before.
        for candidate in self._candidates(index, draw):
            try:
                return candidate, self._read_random(candidate, draw)
            except BrokenVideo as error:
                first = first or error
                self.broken.add(self.listed_id(candidate), error)
        assert first is not None
        raise UserError(
            f"{first}; the files that could replace it ({_REPLACEMENTS} were tried, or all there are) are broken too: "
            "check the data root and the files"
        )

    def _candidates(self, index: int, draw: int) -> Iterator[int]:
        yield index
        group = bisect_right(self._bounds, index)
        first, end = self._bounds[group - 1], self._bounds[group]
        rng = self._rng(draw, index, _REPLACEMENT)
        tried = {index}
        while len(tried) < min(1 + _REPLACEMENTS, end - first):
            candidate = int(rng.integers(first, end))
            if candidate not in tried:
                tried.add(candidate)
                yield candidate

    def _rng(self, draw: int, index: int, purpose: int) -> np.random.Generator:
        return np.random.Generator(np.random.Philox(np.random.SeedSequence([self.seed, draw, index, purpose])))

    def _read_random(self, index: int, draw: int) -> Tensor:
        sampling, augmentation, path = self.sampling, self.augmentation, self.paths[index]
        cut = _cut_short(path)

        # The reader may call these again, so each call starts from the same draw.
        def choose(num_available: int, fps: float) -> NDArray[np.int64]:
            if sampling is None:
                if cut is not None:
                    raise cut
                return self.evaluation(num_available, self._clip_frames)
            if num_available == 1 and cut is None:
                return np.zeros(self._clip_frames, dtype=np.int64)
            if sampling.fps is not None and not fps > 0:
                raise BrokenVideo(path, "states no frame rate, which a clip at a given fps needs")
            try:
                if cut is not None and num_available <= (self._clip_frames - 1) * sampling.stride(fps):
                    raise cut
                return sampling.clip_indices(num_available, fps, self._rng(draw, index, _TIME))
            except BrokenVideo:
                raise
            except UserError as error:
                raise UserError(f"{path}: {error}") from error

        def view_of(height: int, width: int) -> View:
            if augmentation is None:
                return ONE_VIEW.view_of(height, width, self.size)
            return augmentation.view(height, width, self.size, self._rng(draw, index, _SPACE))

        clip = self._read_file(path, choose, view_of)
        if cut is not None:
            self.broken.add(self.listed_id(index), cut, "used")
        return clip

    def _read_whole(self, index: int, views: EvaluationViews = ONE_VIEW) -> Tensor:
        """All evaluation clips: (C * F, K * size, size, 3) of a video, (1, K * size, size, 3) of an image."""
        if (cut := _cut_short(self.paths[index])) is not None:
            raise cut

        def choose(num_available: int, fps: float) -> NDArray[np.int64]:
            return self._clips(num_available, views).ravel()

        def view_of(height: int, width: int) -> View:
            return views.view_of(height, width, self.size)

        return self._read_file(self.paths[index], choose, view_of)

    def _read_file(self, path: str, choose: Choose, view_of: Callable[[int, int], View]) -> Tensor:
        with reading(path):
            if not is_image(path):
                return torch.from_numpy(read_clip(path, choose, view_of))
            image = read_image(path)
        seen = torch.from_numpy(view_of(*image.shape[:2])(image))
        return seen[None]

    def _stack(self, clips: list[Tensor]) -> Tensor:
        """Make a batch of videos (F, size, size, 3) and images (1, size, size, 3)."""
        if self._single_images and all(len(clip) == 1 for clip in clips):
            return torch.stack(clips)
        return torch.stack([clip.expand(self._clip_frames, -1, -1, -1) for clip in clips])


def _cut_short(path: str) -> BrokenVideo | None:
    """What evaluation says of a file that ends early; the reader has the word on one that cannot be opened."""
    if is_image(path):
        return None
    try:
        with reading(path):
            reason = cut_short(path)
    except OSError:
        return None
    return None if reason is None else BrokenVideo(path, reason)


def _check(
    files: Sequence[VideoFile],
    tasks: tuple[Task, ...],
    split: str,
    num_frames: int,
    size: int,
    sampling: FrameSampling | None,
    group_sizes: list[int],
) -> None:
    if not files:
        raise UserError(f"{split}: there are no files")
    if num_frames < 1 or size < 1:
        raise UserError(f"{split}: num_frames is {num_frames} and size is {size}; expected 1 or more")
    if sampling is not None and sampling.num_frames != num_frames:
        raise UserError(f"{split}: num_frames is {num_frames}, but clips are sampled with {sampling.num_frames}")
    if sum(group_sizes) != len(files) or min(group_sizes) < 1:
        raise UserError(f"{split}: groups of {group_sizes} files do not make {len(files)}")
    seen: set[str] = set()
    for file in files:
        if len(file.labels) != len(tasks):
            raise UserError(f"{file.path}: has {len(file.labels)} labels, expected {len(tasks)}, one per task")
        if file.id in seen:
            raise UserError(f"{file.path}: id {file.id!r} is that of an earlier file; list a file once")
        seen.add(file.id)
        for label, task in zip(file.labels, tasks):
            if not -1 <= label < len(task.classes):
                raise UserError(
                    f"{file.path}: label {label} of task {task.name!r}; expected -1 (none) to {len(task.classes) - 1}"
                )
