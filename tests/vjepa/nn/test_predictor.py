"""Predictor: the study's forwards, mask tokens, order."""

from __future__ import annotations

import pytest
import torch

from tests.conftest import Golden
from vjepa.grid import Grid
from vjepa.nn import Predictor, Preset

SMALL = Preset(24, 4, 2, 16, 2, 2)
GRID = Grid(2, 3, 4)


@pytest.fixture
def predictor() -> Predictor:
    torch.manual_seed(0)
    predictor = Predictor(SMALL, patch=8, num_mask_tokens=2)
    with torch.no_grad():
        for token in predictor.mask_tokens:
            token.normal_()
        for block in predictor.predictor_blocks:  # sharp attention: positions and neighbours show
            block.attn.qkv.weight.mul_(20.0)
            block.attn.proj.weight.mul_(20.0)
    return predictor


@pytest.fixture(scope="module")
def inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    order = torch.stack([torch.randperm(24, generator=generator) for _ in range(2)])
    return torch.randn(2, 9, 96, generator=generator), order[:, :9], order[:, 9:]


@pytest.mark.parametrize("mask", [0, 1])
def test_forward_equals_the_study(golden: Golden, mask: int) -> None:
    prefix, state, case = "predictor/backbone.", golden("tiny_state"), golden("tiny_forward")
    predictor = Predictor(Preset(64, 12, 2, 32, 8, 4), 16, 2).requires_grad_(False)
    predictor.load_state_dict({key.removeprefix(prefix): v for key, v in state.items() if key.startswith(prefix)})
    indices = case[f"masks_enc_{mask}"], case[f"masks_pred_{mask}"]
    target, context = predictor(case[f"z_enc_{mask}"], *indices, Grid(4, 4, 4))
    torch.testing.assert_close(target, case[f"z_pred_{mask}"], atol=1e-4, rtol=0)
    torch.testing.assert_close(context, case[f"z_context_{mask}"], atol=1e-4, rtol=0)


def test_order_of_tokens_is_kept(predictor: Predictor, inputs: tuple[torch.Tensor, ...]) -> None:
    context, seen, hidden = inputs
    target, own = predictor(context, seen, hidden, GRID)
    assert target.shape == (2, 15, 96)
    assert own.shape == (2, 9, 96)
    one, other = torch.randperm(9), torch.randperm(15)
    target_permuted, own_permuted = predictor(context[:, one], seen[:, one], hidden[:, other], GRID)
    torch.testing.assert_close(target_permuted, target[:, other], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(own_permuted, own[:, one], atol=1e-5, rtol=1e-4)


def test_only_the_chosen_mask_token_is_used(predictor: Predictor, inputs: tuple[torch.Tensor, ...]) -> None:
    predictor(*inputs, GRID, mask_token=1)[0].sum().backward()
    assert predictor.mask_tokens[0].grad is None
    assert predictor.mask_tokens[1].grad is not None
    first, second = (predictor(*inputs, GRID, mask_token=token)[0] for token in (0, 1))
    assert not torch.allclose(first, second)


def test_targets_differ_by_position_alone(predictor: Predictor, inputs: tuple[torch.Tensor, ...]) -> None:
    target, _ = predictor(*inputs, GRID)
    assert torch.cdist(target[0], target[0]).fill_diagonal_(1.0).min() > 1e-3


@pytest.mark.parametrize(("is_image", "used"), [(False, "video_mod_embed"), (True, "img_mod_embed")])
def test_modality_vector(predictor: Predictor, inputs: tuple[torch.Tensor, ...], is_image: bool, used: str) -> None:
    predictor(*inputs, GRID, is_image=is_image)[0].sum().backward()
    reached = {name for name in ("video_mod_embed", "img_mod_embed") if getattr(predictor, name).grad is not None}
    assert reached == {used}
