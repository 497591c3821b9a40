"""Clips in memory, some of which cannot be read, and encoders that count what they are asked."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from data_modules.clips.datasets import ClipDataset, Task
from data_modules.decode.frames import BrokenVideo
from experiments.evaluation.encoders import PixelEncoder
from experiments.evaluation.features.cache import DataKey, FeatureCache
from experiments.evaluation.subjects import Subject
from experiments.evaluation.views import ALL
from experiments.results import RowStamp

TASKS = (Task("parity", ("even", "odd"), False), Task("third", ("yes", "no"), False))
STAMP = RowStamp("none", "none", "pixels", "as_described", "whole", 0, 0, "pixels", "cafe")
KEY = DataKey("made", "beef", 4, 8)
SHAPE = (2, 4, 96)
"""Tokens of a clip: T, S, C."""


class MadeClips(ClipDataset):
    """Clips of 4 x 8 x 8 noise.

    Args:
        num_clips: n.
        broken: positions that cannot be read.
    """

    def __init__(self, num_clips: int, broken: tuple[int, ...] = (), split: str = "train") -> None:
        numbers = torch.arange(num_clips)
        labels = torch.stack([numbers % 2, torch.where(numbers % 3 == 0, -1, numbers % 2)], dim=1)
        super().__init__(split, TASKS, tuple(f"clip{number}" for number in range(num_clips)), labels)
        generator = torch.Generator().manual_seed(0)
        self.frames = torch.randint(256, (num_clips, 4, 8, 8, 3), dtype=torch.uint8, generator=generator)
        self.unreadable = set(broken)
        self.num_read = 0

    def read(self, indices: Tensor) -> Tensor:
        for index in indices.tolist():
            if index in self.unreadable:
                raise BrokenVideo(Path(f"/made/clip{index}.mp4"), "it is made so")
        self.num_read += len(indices)
        return self.frames[indices]


class CountingEncoder(PixelEncoder):
    """Counts the clips that it encodes, and may fail after some."""

    def __init__(self) -> None:
        super().__init__(patch=4, tubelet=2)
        self.num_encoded = 0
        self.fails_after: int | None = None

    def forward(self, frames: Tensor) -> Tensor:
        if self.fails_after is not None and self.num_encoded >= self.fails_after:
            raise KeyboardInterrupt
        self.num_encoded += len(frames)
        return super().forward(frames)


def made_subject(digest: str = "cafe") -> tuple[Subject, CountingEncoder]:
    encoder = CountingEncoder()
    return Subject("it", encoder, STAMP, digest, (ALL,)), encoder


def made_cache(folder: Path, disk_limit: int = 2**30, key: DataKey = KEY) -> FeatureCache:
    return FeatureCache(folder, key, disk_limit)
