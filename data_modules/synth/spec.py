"""What the synthetic motion set contains: its splits, the seed of every clip and its label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from data_modules.clips.datasets import Task
from data_modules.generated.spec import folder_name, within
from data_modules.synth.draw import BORDERS, NUM_FRAMES, SIZE, VELOCITIES, Border
from vjepa.errors import unknown_name

Split = Literal["pretrain", "train", "val", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

TASKS = (Task("direction", tuple(VELOCITIES), temporal=True),)

FIRST_SEED = 42
"""Seed of the first clip with a label; the ones that follow count up from it, as in the study."""
_FAR_SEED = 1_000_000


@dataclass(frozen=True)
class SynthSpec:
    """Everything that the pixels depend on; its hash names the cache folder.

    Args:
        pretrain_clips: clips without a label that drift in any direction, >= 1.
        train_clips, val_clips, test_clips: clips with a label, >= 1 each.
        border: what the disc does where it meets the border: ``stop`` or ``bounce``.
        num_frames: frames of a file, 8 to 128.
        crf: x264's constant rate factor, 0 to 51.
        fps: frames per second of the files.
        version: of the drawing code; raise it when the pixels change.

    Raises:
        UserError: a value is out of range.
    """

    pretrain_clips: int = 1024
    train_clips: int = 160
    val_clips: int = 160
    test_clips: int = 400
    border: Border = "stop"
    num_frames: int = NUM_FRAMES
    crf: int = 23
    fps: int = 8
    version: int = 1

    def __post_init__(self) -> None:
        for split in SPLITS:
            within("synth", f"{split}_clips", self.num_clips(split), 1, 500_000)
        if self.border not in BORDERS:
            raise unknown_name("synth border", self.border, BORDERS)
        within("synth", "num_frames", self.num_frames, 8, 128)
        within("synth", "crf", self.crf, 0, 51)
        within("synth", "fps", self.fps, 1, 120)

    @property
    def size(self) -> int:
        """Height and width of the files in pixels: 160."""
        return SIZE

    @property
    def folder_name(self) -> str:
        """``synth-`` and 12 hex digits that stand for these parameters."""
        return folder_name("synth", self)

    def num_clips(self, split: Split) -> int:
        """Return the number of clips of a split."""
        clips: int = getattr(self, f"{split}_clips")
        return clips

    def number(self, split: Split, index: int) -> int:
        """Return a labelled clip's number: train, then test, then val, so the study's test clips keep theirs."""
        before = {"train": 0, "test": self.train_clips, "val": self.train_clips + self.test_clips}
        return before[split] + index

    def seed(self, split: Split, index: int) -> int:
        """Return the seed of a clip; no two clips of the set share one.

        Labelled clips have 42 plus their number. Pretraining clips count from 0, as in the study, and jump over the
        seeds of labelled clips: one that shared a seed would show the same disc, place and noise as a test clip.
        """
        if split != "pretrain":
            return FIRST_SEED + self.number(split, index)
        return index if index < FIRST_SEED else _FAR_SEED + index

    def label(self, split: Split, index: int) -> int:
        """Return the direction of a clip, its number mod 8; -1 for a pretraining clip."""
        return -1 if split == "pretrain" else self.number(split, index) % len(VELOCITIES)
