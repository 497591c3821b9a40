"""The moving-glyphs benchmark as a LightningDataModule."""

from __future__ import annotations

from data_modules.generated.cache import cache_root
from data_modules.generated.datamodule import GeneratedDataModule
from data_modules.glyphs.spec import TASKS, GlyphSpec
from data_modules.glyphs.store import GlyphStore


class GlyphsDataModule(GeneratedDataModule):
    """Handwritten digits that move, grow or fade: appearance (10), motion (8) and order (6 classes).

    The clips are H.264 files, written once into the cache, checked and read back like any other video.

    Args:
        batch_size: clips per batch and process (before gradient accumulation), >= 1.
        num_workers: loader processes; 0 is fastest, since frames are mapped into memory.
        seed: of the order of training clips, >= 0.
        root: cache folder; None takes VJEPA_CACHE, else the user's cache folder.
        size: height and width in pixels, even, 16 to 256.
        num_frames: frames per clip, 4 to 64.
        train_clips, val_clips, test_clips: clips per split; half ask for motion, half for order.
        scale_min, scale_max: range of the glyph's height as a ratio of the frame's, in (0, 1].
        noise: standard deviation of the pixel noise, in [0, 1] where 1 is white.
        background: amplitude of the static texture, in [0, 0.5].
        data_seed: of the clips themselves, >= 0.

    Raises:
        UserError: a value is out of range.
    """

    name = "glyphs"
    tasks = TASKS

    def __init__(
        self,
        batch_size: int = 16,
        num_workers: int = 0,
        seed: int = 0,
        root: str | None = None,
        size: int = 32,
        num_frames: int = 8,
        train_clips: int = 4096,
        val_clips: int = 1024,
        test_clips: int = 2048,
        scale_min: float = 0.4,
        scale_max: float = 0.6,
        noise: float = 0.01,
        background: float = 0.25,
        data_seed: int = 0,
    ) -> None:
        self.spec = GlyphSpec(
            size=size,
            num_frames=num_frames,
            train_clips=train_clips,
            val_clips=val_clips,
            test_clips=test_clips,
            scale_min=scale_min,
            scale_max=scale_max,
            noise=noise,
            background=background,
            seed=data_seed,
        )
        super().__init__(GlyphStore(self.spec, cache_root(root)), batch_size, num_workers, seed, num_frames, size)
