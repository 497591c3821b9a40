"""The synthetic motion set on disk."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_modules.generated.store import ClipStore
from data_modules.synth.draw import VELOCITIES, make_clip
from data_modules.synth.spec import SPLITS, TASKS, Split, SynthSpec


class SynthStore(ClipStore[SynthSpec]):
    """Writes, repairs and reads the files of one ``SynthSpec``; see ``ClipStore``."""

    title = "synthetic motion"
    tasks = TASKS
    splits = SPLITS

    def draw(self, split: Split, index: int) -> NDArray[np.uint8]:
        """Draw a clip, (F, 160, 160, 3) RGB."""
        label = self.spec.label(split, index)
        velocity = None if label < 0 else tuple(VELOCITIES.values())[label]
        return make_clip(self.spec.seed(split, index), velocity, self.spec.num_frames, self.spec.border)

    def labels(self, split: Split, index: int) -> tuple[int]:
        """Return (direction,); -1 for a pretraining clip."""
        return (self.spec.label(split, index),)
