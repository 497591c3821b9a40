"""An in-memory data set with the interface of a ClipDataset, whose class signals are known exactly."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from data_modules.clips.datasets import ClipDataset, Task
from experiments.evaluation.encoders import PixelEncoder

FRAMES, SIZE, PATCH, TUBELET = 8, 16, 4, 2


TASKS = (
    Task("colour", ("red", "green", "blue"), False),
    Task("order", ("brighter", "darker"), True),
    Task("noise", ("heads", "tails"), False),
)


class FakeDataset(ClipDataset):
    """Colour in the tint, order in the sign of a brightness ramp, noise nowhere.

    Every fifth clip has no order label. The two frames of a tubelet are equal: order lies between time steps only.
    """

    def __init__(self, split: str, num_clips: int, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        colour = torch.randint(3, (num_clips,), generator=generator)
        order = torch.randint(2, (num_clips,), generator=generator)
        noise = torch.randint(2, (num_clips,), generator=generator)
        frames = torch.full((num_clips, FRAMES, SIZE, SIZE, 3), 120.0)
        frames[torch.arange(num_clips), ..., colour] += 30
        ramp = torch.linspace(-20, 20, FRAMES // TUBELET).repeat_interleave(TUBELET)
        frames += (ramp * (1 - 2 * order[:, None]))[:, :, None, None, None]
        frames += 25 * torch.randn(num_clips, 1, SIZE, SIZE, 3, generator=generator)
        frames += 10 * torch.randn(num_clips, FRAMES // TUBELET, SIZE, SIZE, 3, generator=generator).repeat_interleave(
            TUBELET, dim=1
        )
        self.frames = frames.clamp(0, 255).to(torch.uint8)
        order[::5] = -1
        labels = torch.stack([colour, order, noise], dim=1)
        super().__init__(split, TASKS, tuple(f"{split}/{number}" for number in range(num_clips)), labels)
        self.num_fetched = 0

    def read(self, indices: Tensor) -> Tensor:
        self.num_fetched += len(indices)
        return self.frames[indices]


class FakeDataModule:
    """Three splits of fake clips."""

    name = "fake"
    tasks = TASKS
    manifest_hash = "fade"
    num_frames, size, num_workers = FRAMES, SIZE, 0

    def __init__(self) -> None:
        sizes = {"train": 320, "val": 160, "test": 200}
        self.splits = {name: FakeDataset(name, size, seed) for seed, (name, size) in enumerate(sizes.items())}

    def dataset(self, split: str) -> FakeDataset:
        return self.splits[split]


@pytest.fixture(scope="session")
def fake_data() -> FakeDataModule:
    """Fake clips, made once; tests must not change them."""
    return FakeDataModule()


@pytest.fixture(scope="session")
def pixel_encoder() -> PixelEncoder:
    """The pixels of the fake clips as 4 x 16 tokens of width 96."""
    return PixelEncoder(PATCH, TUBELET)
