"""Clips for the tests of the LightningModules."""

from __future__ import annotations

import pytest
from torch import Tensor

from tests.vjepa.runs import noise_clip
from vjepa.latents import Clip


@pytest.fixture(scope="session")
def clip() -> Clip:
    return noise_clip()


@pytest.fixture(scope="session")
def frames(clip: Clip) -> Tensor:
    return clip.frames
