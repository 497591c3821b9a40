"""KathaBench as a LightningDataModule."""

from __future__ import annotations

from typing import Literal

from data_modules.base import ClipDataset
from data_modules.clips.augment import Augmentation
from data_modules.clips.sampling import FrameSampling
from data_modules.generated.cache import cache_root
from data_modules.generated.datamodule import GeneratedDataModule
from data_modules.generated.spec import within
from data_modules.kathabench.draw import SolidColour
from data_modules.kathabench.spec import TASKS, KathaBenchSpec, Seeds, quirk
from data_modules.kathabench.store import KathaBenchStore
from vjepa.reading import Reading


class KathaBenchDataModule(GeneratedDataModule):
    """Eight kinds of motion before distracting backgrounds: files of 224 x 224 pixels, 16 frames, 10 a second.

    Probes see whole files; training sees ``num_frames`` of them, ``frame_step`` apart, in a random crop. Classes are
    balanced (chance is 12.5 %) and split 70 / 10 / 20.

    Known limits of the definition, kept: two classes are told without any motion, ``two_body`` by its second object
    and ``orbit`` by its place around the middle of the picture; the pull between two bodies is too faint to see.

    Args:
        batch_size: clips per batch and process (before gradient accumulation), >= 1.
        num_workers: loader processes; 0 reads in the main process.
        seed: of order, frames, crops and flips, >= 0.
        root: cache folder; None takes VJEPA_CACHE, else the user's cache folder.
        size: height and width in pixels, 16 to 224.
        num_frames: frames per clip, 1 to 16.
        frame_step: frames of the file per frame of a training clip, >= 1.
        flip: whether training clips are mirrored at random.
        reading: sets the switches that are None.
        clips: of all splits together, >= 40; the study's 50,000 take 6 GB and about 80 minutes on one core.
        seeds: ``unique`` (as described), or ``drawn`` with repetition (as released), so that some test clips are
            training clips.
        solid: whether a solid background stays ``constant`` (as described) or shows a new colour in every frame,
            ``flicker`` (as released).
        data_seed: of the clips themselves, >= 0; the study's generator had none.

    Raises:
        UserError: a value is out of range.

    Source: the study's KathaBench generator and eval_kathabench; it agrees in distribution.
    Differs: see ``draw_motion`` and ``draw_clip``.
    """

    name = "kathabench"
    tasks = TASKS

    def __init__(
        self,
        batch_size: int = 8,
        num_workers: int = 0,
        seed: int = 0,
        root: str | None = None,
        size: int = 224,
        num_frames: int = 16,
        frame_step: int = 1,
        flip: bool = True,
        reading: Reading = "as_described",
        clips: int = 8_000,
        seeds: Seeds | None = None,
        solid: SolidColour | None = None,
        data_seed: int = 0,
    ) -> None:
        spec = KathaBenchSpec(
            clips=clips,
            seeds=quirk("seeds", seeds, reading),
            solid=quirk("solid", solid, reading),
            seed=data_seed,
        )
        within("kathabench", "size", size, 16, spec.size)
        within("kathabench", "num_frames", num_frames, 1, spec.num_frames)
        super().__init__(KathaBenchStore(spec, cache_root(root)), batch_size, num_workers, seed, num_frames, size)
        self.sampling = FrameSampling(num_frames, frame_step=frame_step)
        self.augmentation = Augmentation(horizontal_flip=flip)

    def _open(self, split: Literal["train", "val", "test"]) -> ClipDataset:
        return self.stream(split, self.size, sampling=self.sampling, augmentation=self.augmentation)
