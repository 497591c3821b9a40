"""The study's synthetic motion set as a LightningDataModule."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from data_modules.annotations.flips import warn_of_flips
from data_modules.base import ClipDataset
from data_modules.clips.augment import Augmentation
from data_modules.clips.sampling import FpsRule, FrameSampling
from data_modules.clips.videos import VideoDataset
from data_modules.generated.cache import cache_root
from data_modules.generated.datamodule import GeneratedDataModule
from data_modules.generated.spec import within
from data_modules.synth.draw import SIZE, VELOCITIES, Border
from data_modules.synth.spec import TASKS, SynthSpec
from data_modules.synth.store import SynthStore
from vjepa.errors import UserError
from vjepa.reading import Reading, resolve


def first_indices(num_available: int, num_frames: int) -> NDArray[np.int64]:
    """Return the first frames of a video, the last one repeated if it is short: the study's probe clips."""
    return np.minimum(np.arange(num_frames), num_available - 1)


class SynthDataModule(GeneratedDataModule):
    """A disc that drifts N, NE, E, SE, S, SW, W or NW over noise: files of 160 x 160 pixels, 32 frames, 8 a second.

    Pretraining sees clips without labels: a random crop of ``size`` pixels, ``num_frames`` frames at ``fps``. Probes
    see the splits train, val and test: the first ``num_frames`` frames of a file, 160 x 160 pixels, as in the study.
    The directions are balanced, so chance is 12.5 %.

    Known limits of the definition, kept: a disc that meets the border stops there, each way by itself, which happens to
    32 % of the probe clips within 8 frames (0.7 % of them never move); a flip exchanges E and W in pretraining.

    Args:
        batch_size: clips per batch and process (before gradient accumulation), >= 1.
        num_workers: loader processes; 0 reads in the main process.
        seed: of order, frames, crops and flips, >= 0.
        root: cache folder; None takes VJEPA_CACHE, else the user's cache folder.
        size: height and width of pretraining clips in pixels, >= 16.
        num_frames: frames per clip, 1 to 32.
        fps: frames per second of pretraining clips, in (0, 8].
        fps_rule: of ``FrameSampling``; None takes it from the reading.
        flip: whether pretraining clips are mirrored at random.
        reading: sets ``fps_rule`` and the sizes that are None. As released, 24 clips to pretrain on and 40 to test on,
            where one clip is 2.5 points of accuracy and the standard error about 7; as described, 1,024 and 400, of
            which the first 40 are the same. The study has no validation clips: these are more of the same kind.
        pretrain_clips, train_clips, val_clips, test_clips: clips per split.
        border: what a disc does at the border: ``stop`` (the study), or ``bounce``.

    Raises:
        UserError: a value is out of range.

    Source: the study's generate_synth_videos, generate_eval_synth_videos and eval_kinematic_args; golden case data.npz.
    Differs: how many clips the study pretrained on is not recorded; 24 is its generator's default.
    """

    name = "synth"
    tasks = TASKS

    def __init__(
        self,
        batch_size: int = 16,
        num_workers: int = 0,
        seed: int = 0,
        root: str | None = None,
        size: int = 128,
        num_frames: int = 8,
        fps: float = 4.0,
        fps_rule: FpsRule | None = None,
        flip: bool = True,
        reading: Reading = "as_described",
        pretrain_clips: int | None = None,
        train_clips: int = 160,
        val_clips: int = 160,
        test_clips: int | None = None,
        border: Border = "stop",
    ) -> None:
        rule: FpsRule = resolve("sampling.fps_rule", fps_rule, reading)
        released = reading == "as_released"
        spec = SynthSpec(
            pretrain_clips=(24 if released else 1024) if pretrain_clips is None else pretrain_clips,
            train_clips=train_clips,
            val_clips=val_clips,
            test_clips=(40 if released else 400) if test_clips is None else test_clips,
            border=border,
        )
        within("synth", "size", size, 16, 1024)
        within("synth", "num_frames", num_frames, 1, spec.num_frames)
        if not 0 < fps <= spec.fps:
            raise UserError(f"synth: fps is {fps}; expected more than 0 and at most {spec.fps}, the rate of the files")
        super().__init__(SynthStore(spec, cache_root(root)), batch_size, num_workers, seed, num_frames, size)
        self.sampling = FrameSampling(num_frames, fps=fps, fps_rule=rule)
        self.augmentation = Augmentation(horizontal_flip=flip)
        self._pretraining: VideoDataset | None = None
        self._warned = False

    def setup(self, stage: str | None = None) -> None:
        """Open the splits that a stage reads, and say so once if training mirrors what should not be mirrored."""
        super().setup(stage)
        if stage in (None, "fit") and self.augmentation.horizontal_flip and not self._warned:
            self._warned = True
            sided = [name for name, (right, _) in VELOCITIES.items() if right]
            warn_of_flips(self.name, sided, len(VELOCITIES), "flip")

    def training_dataset(self) -> VideoDataset:
        """Return the pretraining clips, which have no label."""
        if self._pretraining is None:
            self._pretraining = self.stream(
                "pretrain", self.size, sampling=self.sampling, augmentation=self.augmentation
            )
        return self._pretraining

    def _open(self, split: Literal["train", "val", "test"]) -> ClipDataset:
        return self.stream(split, SIZE, evaluation=first_indices)
