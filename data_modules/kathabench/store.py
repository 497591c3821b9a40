"""KathaBench on disk."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_modules.generated.store import ClipStore
from data_modules.kathabench.draw import draw_clip
from data_modules.kathabench.motions import MOTIONS
from data_modules.kathabench.spec import TASKS, KathaBenchSpec, Split


class KathaBenchStore(ClipStore[KathaBenchSpec]):
    """Writes, repairs and reads the files of one ``KathaBenchSpec``; see ``ClipStore``."""

    title = "KathaBench"
    tasks = TASKS

    def draw(self, split: Split, index: int) -> NDArray[np.uint8]:
        """Draw a clip, (F, 224, 224, 3) RGB."""
        spec = self.spec
        name = MOTIONS[spec.label(split, index)]
        return draw_clip(name, spec.rng(split, index), spec.num_frames, spec.solid)

    def labels(self, split: Split, index: int) -> tuple[int]:
        """Return (motion,)."""
        return (self.spec.label(split, index),)
