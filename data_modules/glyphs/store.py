"""The moving-glyphs benchmark on disk."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_modules.generated.store import ClipStore
from data_modules.glyphs.draw import draw_clip
from data_modules.glyphs.spec import TASKS, GlyphSpec, Split, clip_labels


class GlyphStore(ClipStore[GlyphSpec]):
    """Writes, repairs and reads the files of one ``GlyphSpec``; see ``ClipStore``."""

    title = "moving glyphs"
    tasks = TASKS
    clips_per_job = 8192  # so small that they are drawn before other processes have started

    def draw(self, split: Split, index: int) -> NDArray[np.uint8]:
        """Draw a clip, (F, size, size, 3) RGB."""
        return draw_clip(self.spec, split, index)

    def labels(self, split: Split, index: int) -> tuple[int, int, int]:
        """Return (appearance, motion, order); -1 where a task does not apply."""
        return clip_labels(index)
