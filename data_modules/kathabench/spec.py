"""What KathaBench contains: its splits, the seed and label of every clip, and the quirks of the study's generator."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from data_modules.clips.datasets import Task
from data_modules.generated.spec import folder_name, within
from data_modules.kathabench.draw import SolidColour
from data_modules.kathabench.motions import MOTIONS, SIZE
from vjepa.errors import unknown_name
from vjepa.reading import Reading

Split = Literal["train", "val", "test"]
Seeds = Literal["unique", "drawn"]

TASKS = (Task("motion", MOTIONS, temporal=True),)

QUIRKS: dict[str, dict[Reading, str]] = {
    "seeds": {"as_described": "unique", "as_released": "drawn"},
    "solid": {"as_described": "constant", "as_released": "flicker"},
}
"""Where the study's generator departs from its text; the values that the two readings give."""


def quirk(name: str, value: str | None, reading: Reading) -> Any:
    """Value of a switch: its own if it is set, else that of the reading.

    Raises:
        UserError: the reading is unknown.
    """
    if reading not in QUIRKS[name]:
        raise unknown_name("reading", reading, QUIRKS[name])
    return QUIRKS[name][reading] if value is None else value


@dataclass(frozen=True)
class KathaBenchSpec:
    """Everything that the pixels depend on; its hash names the cache folder.

    Args:
        clips: of all splits together, >= 40; 70 % train, 10 % val, 20 % test.
        seeds: ``unique`` gives every clip a seed of its own. ``drawn`` draws seeds from 0 to 999,999 with repetition:
            two clips of one class with the same seed are equal pixel by pixel, also across splits. With 50,000 clips
            about 44 of the 10,000 test clips are copies of training clips.
        solid: a solid background is ``constant``, or it shows a new random colour in every frame (``flicker``).
        seed: of every draw, >= 0.
        num_frames: frames of a file, 2 to 128.
        crf: x264's constant rate factor, 0 to 51.
        fps: frames per second of the files.
        version: of the drawing code; raise it when the pixels change.

    Raises:
        UserError: a value is out of range.
    """

    clips: int = 8_000
    seeds: Seeds = "unique"
    solid: SolidColour = "constant"
    seed: int = 0
    num_frames: int = 16
    crf: int = 23
    fps: int = 10
    version: int = 1

    def __post_init__(self) -> None:
        within("kathabench", "clips", self.clips, 40, 1_000_000)
        for name, values in QUIRKS.items():
            if getattr(self, name) not in values.values():
                raise unknown_name(f"kathabench {name}", getattr(self, name), values.values())
        within("kathabench", "seed", self.seed, 0, 2**32 - 1)
        within("kathabench", "num_frames", self.num_frames, 2, 128)
        within("kathabench", "crf", self.crf, 0, 51)
        within("kathabench", "fps", self.fps, 1, 120)

    @property
    def size(self) -> int:
        """Height and width of the files in pixels: 224."""
        return SIZE

    @property
    def folder_name(self) -> str:
        """``kathabench-`` and 12 hex digits that stand for these parameters."""
        return folder_name("kathabench", self)

    def num_clips(self, split: Split) -> int:
        """Return the number of clips of a split."""
        train, val = self.clips * 7 // 10, self.clips // 10
        return {"train": train, "val": val, "test": self.clips - train - val}[split]

    def number(self, split: Split, index: int) -> int:
        """Return a clip's number over all splits: train, then val, then test."""
        train, val = self.num_clips("train"), self.num_clips("val")
        return {"train": 0, "val": train, "test": train + val}[split] + index

    def label(self, split: Split, index: int) -> int:
        """Return the class of a clip, its number mod 8."""
        return self.number(split, index) % len(MOTIONS)

    def clip_seed(self, split: Split, index: int) -> int:
        """Return the seed of a clip; clips with equal seeds and classes show the same."""
        number = self.number(split, index)
        return number if self.seeds == "unique" else _drawn_seeds(self.seed, self.clips)[number]

    def rng(self, split: Split, index: int) -> np.random.Generator:
        """Return the source of all draws of a clip."""
        entropy = np.random.SeedSequence([self.seed, self.clip_seed(split, index)])
        return np.random.Generator(np.random.Philox(entropy))


@lru_cache(maxsize=4)
def _drawn_seeds(seed: int, clips: int) -> tuple[int, ...]:
    return tuple(np.random.default_rng(seed).integers(0, 1_000_000, size=clips).tolist())
