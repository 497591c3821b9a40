"""An encoder before a clip, and what pictures need of the two; each is worked out once, when first asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from experiments.evaluation.encoded import Encoded, encode
from experiments.show.clip import ShownClip
from experiments.show.encoders import LoadedEncoder
from experiments.show.gallery import Gallery
from vjepa.grid import Grid


@dataclass(frozen=True, eq=False)
class Sitting:
    """An encoder before a clip.

    Args:
        encoder: shown.
        clip: shown to it.
        gallery: clips of a benchmark, opened when first asked for.
        limits: most train and validation clips of the probes to look for; None: all, or as the run was tested.
        cache_folder: of features and probes.
    """

    encoder: LoadedEncoder
    clip: ShownClip
    gallery: Gallery
    limits: tuple[int | None, int | None] | None
    cache_folder: Path

    @property
    def legend(self) -> str:
        """Run, weights, step and clip."""
        return f"{self.encoder.legend} \u00b7 {self.clip.path.name}"

    @cached_property
    def pixels(self) -> Tensor:
        """(1, 3, F, H_px, W_px), normalised; an image as the encoder sees it."""
        return self.encoder.model.pixels(self.clip.frames.to(self.encoder.model.device))

    @cached_property
    def grid(self) -> Grid:
        """Token grid of the clip."""
        return self.encoder.model.encoder.grid(self.pixels)

    @cached_property
    def frames(self) -> NDArray[np.uint8]:
        """(F, H_px, W_px, 3) uint8; an image that is encoded as a video is shown as one."""
        shown: NDArray[np.uint8] = self.clip.frames[0].expand(self.pixels.shape[2], -1, -1, -1).numpy()
        return shown

    @cached_property
    def encoded(self) -> Encoded:
        """The levels that training divides, (1, T, S, D)."""
        return encode(self.encoder.subject.encoder, self.clip.frames)

    def on_grid(self, tokens: Tensor) -> NDArray[np.float32]:
        """(1, T, S, ...) to (T, H, W, ...)."""
        arranged: NDArray[np.float32] = tokens[0].unflatten(1, (self.grid.height, self.grid.width)).cpu().numpy()
        return arranged
