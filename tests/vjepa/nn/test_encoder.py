"""Encoder: the study's forwards, masking, levels, images."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.conftest import Golden
from vjepa.grid import Grid, gather_tokens
from vjepa.nn import Encoder, Preset
from vjepa.nn.encoder import PatchEmbed

SMALL = Preset(24, 4, 2, 16, 2, 2)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    """An encoder whose attention is sharp enough for positions and neighbours to show."""
    torch.manual_seed(0)
    encoder = Encoder(SMALL, patch=8).requires_grad_(False)
    for block in encoder.blocks:
        for linear in (block.attn.qkv, block.attn.proj):
            linear.weight.mul_(20.0)
    return encoder


@pytest.fixture(scope="module")
def clip() -> Tensor:
    return torch.randn(2, 3, 4, 24, 32, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def studied(golden: Golden) -> Encoder:
    """The study's encoder at the size of ``tiny_state.npz``."""
    prefix = "encoder/backbone."
    encoder = Encoder(Preset(64, 12, 2, 32, 8, 4), 16, 2).requires_grad_(False)
    state = golden("tiny_state")
    encoder.load_state_dict({key.removeprefix(prefix): v for key, v in state.items() if key.startswith(prefix)})
    return encoder


@pytest.mark.parametrize(
    ("clip_name", "expected", "method"),
    [
        ("clip", "eval_video", "forward"), ("clip", "hier_video", "levels"), ("img", "eval_image", "forward"),
        ("big_clip", "eval_big", "forward"),
    ],
)  # fmt: skip
def test_forward_equals_the_study(golden: Golden, studied: Encoder, clip_name: str, expected: str, method: str) -> None:
    case = golden("tiny_forward")
    torch.testing.assert_close(getattr(studied, method)(case[clip_name]), case[expected], atol=1e-4, rtol=0)


@pytest.mark.parametrize("mask", [0, 1])
def test_masked_forward_equals_the_study(golden: Golden, studied: Encoder, mask: int) -> None:
    case = golden("tiny_forward")
    encoded = studied.levels(case["clip"], case[f"masks_enc_{mask}"])
    torch.testing.assert_close(encoded, case[f"z_enc_{mask}"], atol=1e-4, rtol=0)


@pytest.mark.parametrize(("tubelet", "frames"), [(2, 4), (1, 1)])
def test_patch_embedding_is_the_strided_convolution(tubelet: int, frames: int) -> None:
    torch.manual_seed(0)
    embed, clip = PatchEmbed(5, tubelet, 4), torch.randn(2, 3, frames, 8, 12)
    expected = embed.proj(clip).flatten(2).transpose(1, 2)
    torch.testing.assert_close(embed(clip), expected, atol=1e-5, rtol=1e-5)
    indices = [torch.tensor([[4, 0, 3], [1, 1, 5]]), torch.tensor([[2], [0]])]
    picked = torch.cat([gather_tokens(expected, kept).flatten(0, 1) for kept in indices])
    torch.testing.assert_close(embed(clip, indices), picked, atol=1e-5, rtol=1e-5)


def test_keeping_every_token_changes_nothing(encoder: Encoder, clip: Tensor) -> None:
    everything = torch.arange(24).expand(2, -1)
    torch.testing.assert_close(encoder.levels(clip, everything), encoder.levels(clip))


def test_tokens_come_out_in_the_order_asked_for(encoder: Encoder, clip: Tensor) -> None:
    generator = torch.Generator().manual_seed(2)
    indices = torch.stack([torch.randperm(24, generator=generator)[:10] for _ in range(2)])
    order = torch.randperm(10, generator=generator)
    permuted = encoder.levels(clip, indices[:, order])
    torch.testing.assert_close(permuted, encoder.levels(clip, indices)[:, order], atol=1e-5, rtol=1e-5)


def test_hidden_tokens_are_not_read(encoder: Encoder, clip: Tensor) -> None:
    changed = clip.clone()
    changed[:, :, 2:] += 1.0
    first_step, all_steps = torch.arange(12).expand(2, -1), torch.arange(24).expand(2, -1)
    assert torch.equal(encoder(clip, first_step), encoder(changed, first_step))
    assert not torch.allclose(encoder(clip, all_steps)[:, :12], encoder(changed, all_steps)[:, :12])


def test_position_matters(encoder: Encoder) -> None:
    same = torch.randn(1, 3, 2, 8, 8, generator=torch.Generator().manual_seed(3)).repeat(1, 1, 2, 3, 4)
    same[:, :, 2:, :8, :8] += 1.0
    tokens = encoder(same)[0]
    assert not torch.allclose(tokens[0], tokens[11], atol=1e-4)


def test_the_last_level_is_what_evaluation_reads(encoder: Encoder, clip: Tensor) -> None:
    levels = encoder.levels(clip)
    assert levels.shape == (2, 24, 4 * 24)
    assert torch.equal(encoder(clip), levels[..., -24:])
    assert len({float(level.sum()) for level in levels.abs().chunk(4, dim=-1)}) == 4


def test_a_single_frame_takes_the_image_path(encoder: Encoder, clip: Tensor) -> None:
    image = clip[:, :, :1]
    assert encoder.grid(image) == Grid(1, 3, 4)
    before = encoder(image)
    assert before.shape == (2, 12, 24)
    kept = encoder.img_mod_embed.clone(), encoder.video_mod_embed.clone()
    encoder.video_mod_embed += 1.0
    assert torch.equal(encoder(image), before)
    encoder.img_mod_embed[..., ::2] += 1.0
    assert not torch.allclose(encoder(image), before)
    encoder.img_mod_embed.copy_(kept[0])
    encoder.video_mod_embed.copy_(kept[1])


@pytest.mark.parametrize("shape", [(3, 24, 32), (4, 20, 32), (4, 24, 33)])
def test_sizes_that_do_not_divide_are_refused(encoder: Encoder, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=rf"clip of {shape[0]} frames, {shape[1]}x{shape[2]} px.*tubelet \(2\).*\(8\)"):
        encoder(torch.zeros(1, 3, *shape))


@pytest.mark.parametrize("size", [(2, 8, 8), (2, 8, 24), (4, 24, 8)])
def test_grids_one_token_wide_are_finite(encoder: Encoder, size: tuple[int, ...]) -> None:
    assert encoder.levels(torch.ones(1, 3, *size)).isfinite().all()


def test_v2_has_neither_image_embedding_nor_modality_vectors() -> None:
    encoder, newer = Encoder(SMALL, patch=8, rope="v2"), Encoder(SMALL, patch=8)
    absent = newer.state_dict().keys() - encoder.state_dict().keys()
    assert absent == {"patch_embed_img.proj.weight", "patch_embed_img.proj.bias", "img_mod_embed", "video_mod_embed"}
    assert encoder.state_dict().keys() < newer.state_dict().keys()
    with pytest.raises(ValueError, match=r"expected a multiple of the tubelet \(2\)"):
        encoder(torch.zeros(1, 3, 1, 16, 16))
    kept = torch.tensor([[0, 3, 5]])
    pixels = torch.randn(1, 3, 4, 16, 16)
    assert encoder.levels(pixels, kept).shape == (1, 3, SMALL.latent_width)
    encoder.levels(pixels).square().sum().backward()
    assert all(parameter.grad is not None for parameter in encoder.parameters())
