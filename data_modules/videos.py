"""Clips that are read from video and image files as they are asked for."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from data_modules.augment import Augmentation, CentreView
from data_modules.broken import BrokenLog
from data_modules.clips import ClipDataset, Task
from data_modules.decode import BrokenVideo, uniform_indices
from data_modules.images import is_image, read_image
from data_modules.reader import Choose, View, read_clip
from data_modules.sampling import FrameSampling
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
    broken file is an error. ``fetch_training`` gives training clips: frames by ``sampling``, views by ``augmentation``;
    a broken file is listed in ``broken`` and replaced by another of its group. Which frames, which view and which
    replacement are functions of (seed, draw, file) alone.

    An image is a still video of ``num_frames`` equal frames, since a batch has one number of frames; a data set of
    images only yields clips of one frame.

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

    Raises:
        UserError: no files, labels that do not match the tasks, a repeated id or another F.
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
    ) -> None:
        sizes = [len(files)] if group_sizes is None else list(group_sizes)
        _check(files, tasks, split, num_frames, size, sampling, sizes)
        labels = torch.tensor([file.labels for file in files], dtype=torch.int64).reshape(len(files), len(tasks))
        super().__init__(split, tasks, tuple(file.id for file in files), labels)
        self.paths = tuple(str(file.path) for file in files)
        self.sampling, self.augmentation, self.evaluation = sampling, augmentation, evaluation
        self.size, self.seed = size, seed
        self.num_frames = 1 if all(map(is_image, self.paths)) else num_frames
        self.broken = BrokenLog()
        self._clip_frames = num_frames
        self._bounds = (0, *accumulate(sizes))

    def read(self, indices: Tensor) -> Tensor:
        """Return the frames of evaluation clips, (b,) int64 -> (b, F, size, size, 3) uint8.

        Raises:
            BrokenVideo: a file is broken; it is never replaced.
        """
        return torch.stack([self._read_whole(int(index)) for index in indices])

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
        return Clip(torch.stack([frames for _, frames in pairs]), used, self.labels[used])

    def missing(self, indices: Sequence[int]) -> list[str]:
        """Return the ids of those files that do not exist."""
        return [self.video_ids[index] for index in indices if not os.path.isfile(self.paths[index])]

    def _draw(self, index: int, draw: int) -> tuple[int, Tensor]:
        """Return the file that a draw ends up with, and its training clip."""
        for candidate in self._candidates(index, draw):
            name = self.video_ids[candidate]
            if name in self.broken:
                continue
            try:
                return candidate, self._read_random(candidate, draw)
            except BrokenVideo as error:
                self.broken.add(name, error)
        reason = self.broken.reasons[self.video_ids[index]]
        raise UserError(
            f"{self.paths[index]}: {reason}; the files that could replace it ({_REPLACEMENTS} were tried, or all there "
            "are) are broken too: check the data root and the files"
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

        # The reader may call these again, so each call starts from the same draw.
        def choose(num_available: int, fps: float) -> NDArray[np.int64]:
            if sampling is None:
                return self.evaluation(num_available, self._clip_frames)
            if sampling.fps is not None and num_available > 1 and not fps > 0:
                raise BrokenVideo(path, "states no frame rate, which a clip at a given fps needs")
            try:
                return sampling.clip_indices(num_available, fps or 1.0, self._rng(draw, index, _TIME))
            except UserError as error:
                raise UserError(f"{path}: {error}") from error

        def view_of(height: int, width: int) -> View:
            if augmentation is None:
                return CentreView(height, width, self.size)
            return augmentation.view(height, width, self.size, self._rng(draw, index, _SPACE))

        return self._read_file(path, choose, view_of)

    def _read_whole(self, index: int) -> Tensor:
        def choose(num_available: int, fps: float) -> NDArray[np.int64]:
            return self.evaluation(num_available, self._clip_frames)

        def view_of(height: int, width: int) -> View:
            return CentreView(height, width, self.size)

        return self._read_file(self.paths[index], choose, view_of)

    def _read_file(self, path: str, choose: Choose, view_of: Callable[[int, int], View]) -> Tensor:
        if not is_image(path):
            return torch.from_numpy(read_clip(path, choose, view_of))
        image = read_image(path)
        seen = torch.from_numpy(view_of(*image.shape[:2])(image))
        return seen.expand(self.num_frames, -1, -1, -1)


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
