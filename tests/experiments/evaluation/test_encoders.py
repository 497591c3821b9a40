"""The pixel control keeps every pixel, in the order of the token grid."""

from __future__ import annotations

import pytest
import torch

from experiments.evaluation.encoders import PixelEncoder


def test_tokens_are_tubelets_in_raster_order() -> None:
    frames = torch.randint(256, (2, 4, 6, 8, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    tokens = PixelEncoder(patch=2, tubelet=2)(frames)
    assert tokens.shape == (2, 2, 12, 24)
    assert tokens.dtype == torch.float32
    tubelet = frames[1, 2:4, 4:6, 2:4].float() / 255  # second time step, row 2, column 1 of a 3 x 4 grid
    assert torch.equal(tokens[1, 1, 2 * 4 + 1], tubelet.flatten())


def test_clips_that_do_not_divide_are_refused() -> None:
    with pytest.raises(ValueError, match=r"does not divide into tubelets of 2 x 4 x 4"):
        PixelEncoder(patch=4, tubelet=2)(torch.zeros(1, 5, 8, 8, 3, dtype=torch.uint8))
