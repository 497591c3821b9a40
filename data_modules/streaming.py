"""The options that every data set of video and image files takes."""

from __future__ import annotations

from typing import Literal, get_args

from data_modules.base import ClipDataModule
from data_modules.clips.augment import Augmentation
from data_modules.clips.sampling import FpsRule, FrameSampling
from data_modules.clips.views import EvaluationViews
from vjepa.errors import UserError, unknown_name
from vjepa.reading import Reading, resolve

ImageMode = Literal["repeat", "single"]
"""What an image is beside videos: a still video in the same batches, or a clip of one frame in batches of its own."""


def check_image_mode(name: str, mode: str) -> None:
    """Refuse an unknown ``ImageMode`` of the data module ``name``."""
    if mode not in get_args(ImageMode):
        raise unknown_name(f"{name} image_mode", mode, get_args(ImageMode))


class StreamingDataModule(ClipDataModule):
    """Clips that are decoded as they are asked for; a subclass says which.

    A training clip is a random stretch of a video in a random crop; an evaluation clip is spread over the whole video
    and shows its centre. The frozen evaluation may show several clips and crops of a test video and average over them.

    Args:
        batch_size: clips per batch and process (before gradient accumulation), >= 1.
        num_workers: loader processes; 0 reads in the main process.
        seed: of the order of training clips and of their random views, >= 0.
        root: folder of the data sets; None takes DATA_ROOT.
        num_frames: frames per clip, >= 1.
        size: height and width in pixels, >= 1.
        frame_step: frames of a video per frame of a training clip; 2 where neither it nor ``fps`` is set.
        fps: rate of training clips in frames per second, in place of ``frame_step``.
        fps_rule: ``nearest`` or ``integer_step``; None takes that of ``reading``.
        horizontal_flip: mirror half of the training clips; switch off where left and right tell classes apart.
        scale: least and most area of a random crop, as a ratio of the frame's.
        aspect_ratio: least and most width : height of a random crop.
        val_ratio: share of the training files for validation where the data has no split for it, in (0, 1).
        split_seed: of that share; not the seed of the run, so that all runs validate on the same files.
        allow_links: follow links that lead out of the folder of the data.
        max_broken_ratio: broken files met per training clip, and share of evaluation files that are missing, above
            which a run stops, in [0, 1].
        timeout: seconds to wait for a batch of the loader processes, > 0.
        reading: of the study, for switches left at None.
        eval_clips: clips of each test video in the frozen evaluation, >= 1; None is 1.
        eval_crops: crops of each of those along its long side, odd; None is 1, the centre.

    Raises:
        UserError: a value is out of range.
    """

    def __init__(
        self,
        batch_size: int = 8,
        num_workers: int = 4,
        seed: int = 0,
        root: str | None = None,
        num_frames: int = 16,
        size: int = 224,
        frame_step: int | None = None,
        fps: float | None = None,
        fps_rule: FpsRule | None = None,
        horizontal_flip: bool = True,
        scale: tuple[float, float] = (0.3, 1.0),
        aspect_ratio: tuple[float, float] = (0.75, 1.35),
        val_ratio: float = 0.05,
        split_seed: int = 0,
        allow_links: bool = False,
        max_broken_ratio: float = 0.01,
        timeout: float = 300.0,
        reading: Reading = "as_described",
        eval_clips: int | None = None,
        eval_crops: int | None = None,
    ) -> None:
        super().__init__(batch_size, num_workers, seed, num_frames, size, max_broken_ratio, timeout)
        if not 0 < val_ratio < 1:
            raise UserError(f"{self.name}: val_ratio is {val_ratio}; expected a share between 0 and 1")
        if split_seed < 0:
            raise UserError(f"{self.name}: split_seed is {split_seed}; expected 0 or more")
        if frame_step is None and fps is None:
            frame_step = 2
        rule: FpsRule = resolve("sampling.fps_rule", fps_rule, reading)
        self.sampling = FrameSampling(num_frames, frame_step, fps, None if fps is None else rule)
        self.augmentation = Augmentation(tuple(scale), tuple(aspect_ratio), horizontal_flip)  # type: ignore[arg-type]
        # None by default: a null does not enter the identity of a run.
        self.views = EvaluationViews(1 if eval_clips is None else eval_clips, 1 if eval_crops is None else eval_crops)
        self.root, self.val_ratio, self.split_seed = root, val_ratio, split_seed
        self.allow_links = allow_links
