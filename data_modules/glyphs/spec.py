"""What the moving-glyphs benchmark contains: its parameters, its three tasks and the label of every clip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from data_modules.clips.datasets import Task
from data_modules.generated.spec import folder_name, within
from vjepa.errors import UserError

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")

DIGITS = tuple(str(digit) for digit in range(10))
MOTIONS = (
    "line",
    "circle_cw",
    "circle_ccw",
    "zigzag",
    "accelerate",
    "decelerate",
    "back_and_forth",
    "jitter",
)
ORDERS = ("grow", "shrink", "fade_in", "fade_out", "approach", "leave")

# Each of these is drawn as its partner and then played backwards, so only time order separates them.
REVERSE_OF = {
    "circle_ccw": "circle_cw",
    "decelerate": "accelerate",
    "shrink": "grow",
    "fade_out": "fade_in",
    "leave": "approach",
}

TASKS = (
    Task("appearance", DIGITS, temporal=False),
    Task("motion", MOTIONS, temporal=True),
    Task("order", ORDERS, temporal=True),
)


@dataclass(frozen=True)
class GlyphSpec:
    """Everything that the pixels depend on; its hash names the cache folder.

    Args:
        size: height and width in pixels, even, 16 to 256.
        num_frames: frames per clip, 4 to 64.
        train_clips, val_clips, test_clips: clips per split, >= 2; half are motion clips, half order clips.
        scale_min, scale_max: range of the glyph's height as a ratio of the frame's, in (0, 1].
        noise: standard deviation of the pixel noise, in [0, 1] where 1 is white.
        background: amplitude of the static texture, in [0, 0.5].
        seed: of every random draw, >= 0.
        crf: x264's constant rate factor, 0 to 51.
        fps: frames per second of the files.
        version: of the drawing code; raise it when the pixels change.

    Raises:
        UserError: a value is out of range.
    """

    size: int = 32
    num_frames: int = 8
    train_clips: int = 4096
    val_clips: int = 1024
    test_clips: int = 2048
    scale_min: float = 0.4
    scale_max: float = 0.6
    noise: float = 0.01
    background: float = 0.25
    seed: int = 0
    crf: int = 18
    fps: int = 8
    version: int = 2

    def __post_init__(self) -> None:
        within("glyphs", "size", self.size, 16, 256)
        if self.size % 2:
            raise UserError(f"glyphs: size is {self.size}; expected an even number (H.264 halves the colour)")
        within("glyphs", "num_frames", self.num_frames, 4, 64)
        for name in ("train_clips", "val_clips", "test_clips"):
            within("glyphs", name, getattr(self, name), 2, 1_000_000)
        within("glyphs", "scale_min", self.scale_min, 0.05, 1.0)
        within("glyphs", "scale_max", self.scale_max, self.scale_min, 1.0)
        within("glyphs", "noise", self.noise, 0.0, 1.0)
        within("glyphs", "background", self.background, 0.0, 0.5)
        within("glyphs", "seed", self.seed, 0, 2**32 - 1)
        within("glyphs", "crf", self.crf, 0, 51)
        within("glyphs", "fps", self.fps, 1, 120)

    @property
    def folder_name(self) -> str:
        """``glyphs-`` and 12 hex digits that stand for these parameters."""
        return folder_name("glyphs", self)

    def num_clips(self, split: Split) -> int:
        """Return the number of clips of a split."""
        return {"train": self.train_clips, "val": self.val_clips, "test": self.test_clips}[split]


def clip_labels(index: int) -> tuple[int, int, int]:
    """Return (appearance, motion, order) of clip ``index``; -1 where a task does not apply.

    Even clips show a motion and odd clips an order. Any run of 160 motion or 120 order clips holds
    every pair of digit and motion (order) equally often, so a subset is balanced too.
    """
    turn, is_order = divmod(index, 2)
    if is_order:
        return turn // len(ORDERS) % len(DIGITS), -1, turn % len(ORDERS)
    return turn // len(MOTIONS) % len(DIGITS), turn % len(MOTIONS), -1
