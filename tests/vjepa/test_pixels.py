"""From uint8 frames to encoder input, and the frozen encoder."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from vjepa.nn import Encoder, Preset
from vjepa.pixels import FrozenEncoder, to_pixels


@pytest.fixture(scope="module")
def frames() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (2, 4, 16, 24, 3), generator=generator, dtype=torch.uint8)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    torch.manual_seed(0)
    return Encoder(Preset(24, 4, 2, 16, 2, 2), patch=8)


def test_pixels_by_hand() -> None:
    frame = torch.tensor([0, 128, 255], dtype=torch.uint8).expand(1, 1, 1, 1, 3)
    expected = [(0 - 0.485) / 0.229, (128 / 255 - 0.456) / 0.224, (1 - 0.406) / 0.225]
    assert to_pixels(frame).shape == (1, 3, 1, 1, 1)
    assert to_pixels(frame).flatten().tolist() == pytest.approx(expected, rel=1e-5)


def test_axes_become_channels_first(frames: Tensor) -> None:
    pixels = to_pixels(frames)
    assert pixels.shape == (2, 3, 4, 16, 24)
    assert pixels.dtype == torch.float32
    assert pixels[1, 2, 3, 5, 7].item() == pytest.approx((frames[1, 3, 5, 7, 2].item() / 255 - 0.406) / 0.225, rel=1e-4)


@pytest.mark.parametrize("bad", [torch.zeros(1, 2, 8, 8, 3), torch.zeros(2, 8, 8, 3, dtype=torch.uint8)])
def test_other_frames_are_refused(bad: Tensor) -> None:
    with pytest.raises(ValueError, match=r"expected \(B, F, H, W, 3\) uint8"):
        to_pixels(bad)


def test_frozen_tokens_keep_time_apart(encoder: Encoder, frames: Tensor) -> None:
    tokens = FrozenEncoder(encoder)(frames)
    assert tokens.shape == (2, 2, 6, 24)
    assert not tokens.requires_grad
    torch.testing.assert_close(tokens.flatten(1, 2), encoder(to_pixels(frames)))


def test_frozen_is_a_copy_that_cannot_learn(encoder: Encoder, frames: Tensor) -> None:
    frozen = FrozenEncoder(encoder)
    before = frozen(frames)
    with torch.no_grad():
        encoder.norms_block[3].bias.add_(1.0)
    assert torch.equal(frozen(frames), before)
    assert not any(parameter.requires_grad for parameter in frozen.parameters())
    assert not frozen.training
    assert all(parameter.requires_grad for parameter in encoder.parameters())


@pytest.mark.parametrize(("mode", "time"), [("repeat", 3), ("single", 1)])
def test_images(encoder: Encoder, frames: Tensor, mode: str, time: int) -> None:
    image = frames[:, :1]
    tokens = FrozenEncoder(encoder, mode, 6)(image)
    assert tokens.shape == (2, time, 6, 24)
    clip = image.expand(-1, 6, -1, -1, -1) if mode == "repeat" else image
    torch.testing.assert_close(tokens.flatten(1, 2), encoder(to_pixels(clip)))
