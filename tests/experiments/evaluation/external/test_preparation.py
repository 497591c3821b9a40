"""Frames are resized and normalised as the image library that models were trained with would."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from experiments.evaluation.external.preparation import IMAGES_AT_A_TIME, Preparation, in_pieces

GENERATOR = torch.Generator().manual_seed(0)
# No black and no white: Pillow clips what overshoots between its two passes, too.
IMAGES = torch.randint(60, 196, (3, 32, 48, 3), generator=GENERATOR, dtype=torch.uint8)
BLANK = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def test_images_of_the_right_size_are_only_normalised() -> None:
    mean, std = (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)
    found = Preparation((32, 48), mean, std)(IMAGES)
    expected = (IMAGES.numpy() / 255.0 - np.array(mean)) / np.array(std)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.permute(0, 2, 3, 1).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "filter_"), [("bicubic", Image.Resampling.BICUBIC), ("bilinear", Image.Resampling.BILINEAR)]
)
@pytest.mark.parametrize("size", [(80, 112), (20, 20)])
def test_resizing_is_that_of_pillow_up_to_its_rounding(
    kind: str, filter_: Image.Resampling, size: tuple[int, int]
) -> None:
    found = 255 * Preparation(size, *BLANK, interpolation=kind)(IMAGES)
    pillow = [np.asarray(Image.fromarray(image.numpy()).resize(size[::-1], filter_)) for image in IMAGES]
    # Pillow rounds to whole numbers after each of its two passes.
    np.testing.assert_allclose(found.permute(0, 2, 3, 1).numpy(), np.stack(pillow), atol=1.6)


def test_no_pixel_leaves_what_a_picture_can_hold() -> None:
    edge = torch.zeros(1, 8, 8, 3, dtype=torch.uint8)
    edge[:, :, 4:] = 255
    found = Preparation((32, 32), *BLANK)(edge)
    assert (float(found.min()), float(found.max())) == (0.0, 1.0)


def test_clips_are_taken_some_at_a_time_and_in_order() -> None:
    seen: list[int] = []

    def first(piece: torch.Tensor) -> torch.Tensor:
        seen.append(piece[..., 0, 0, 0].numel())
        return piece.flatten(1)[:, :1]

    clips = torch.arange(20).view(20, 1, 1, 1, 1).expand(20, 16, 1, 1, 3)
    assert in_pieces(first, clips).flatten().tolist() == list(range(20))
    assert max(seen) == IMAGES_AT_A_TIME and sum(seen) == 20 * 16
    assert len(in_pieces(first, torch.zeros(2, 1000, 1, 1, 3))) == 2, "a clip longer than that comes alone"
