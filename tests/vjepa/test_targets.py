"""The target slot: who supplies the targets, who learns, which weights evaluation reads."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import layer_norm

from vjepa.errors import UserError
from vjepa.nn import Encoder, Preset
from vjepa.targets import Target, TargetOptions

SMALL = Preset(24, 4, 2, 16, 2, 2)


@pytest.fixture
def encoder() -> Encoder:
    torch.manual_seed(0)
    return Encoder(SMALL, patch=8)


@pytest.fixture(scope="module")
def pixels() -> Tensor:
    return torch.randn(2, 3, 4, 16, 16, generator=torch.Generator().manual_seed(1))


def fill(encoder: Any, value: float) -> None:
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.fill_(value)


def values(encoder: Any) -> set[float]:
    return {round(x, 6) for parameter in encoder.parameters() for x in parameter.detach().unique().tolist()}


def test_targets_are_levels_normalised_one_by_one(encoder: Encoder, pixels: Tensor) -> None:
    targets = Target(TargetOptions(), encoder, "as_described")(encoder, pixels)
    expected = [layer_norm(level, (24,)) for level in encoder.levels(pixels).split(24, dim=-1)]
    assert targets.dtype == torch.float32
    torch.testing.assert_close(targets, torch.cat(expected, dim=-1))


def test_teacher_moves_by_known_numbers(encoder: Encoder) -> None:
    target = Target(TargetOptions(momentum=(0.75, 0.75)), encoder, "as_described")
    fill(target.teacher, 0.0)
    fill(encoder, 1.0)
    target.update(encoder, 0, 10)
    assert values(target.teacher) == {0.25}
    target.update(encoder, 1, 10)
    assert values(target.teacher) == {0.4375}
    assert values(encoder) == {1.0}


@pytest.mark.parametrize(("step", "teacher"), [(0, 1.0), (5, 0.5), (10, 0.0), (15, 0.0)])
def test_momentum_ramps_over_the_run(encoder: Encoder, step: int, teacher: float) -> None:
    target = Target(TargetOptions(momentum=(0.0, 1.0)), encoder, "as_described")
    fill(target.teacher, 0.0)
    fill(encoder, 1.0)
    target.update(encoder, step, 10)
    assert values(target.teacher) == {teacher}


def test_teacher_is_a_frozen_copy(encoder: Encoder, pixels: Tensor) -> None:
    target = Target(TargetOptions(), encoder, "as_described")
    assert target.teacher is not None
    assert not target(encoder, pixels).requires_grad
    assert not any(parameter.requires_grad for parameter in target.teacher.parameters())
    before = target(encoder, pixels)
    fill(encoder, 0.5)
    assert torch.equal(target(encoder, pixels), before)


@pytest.mark.parametrize(("stop_gradient", "has_gradient"), [(False, True), (True, False)])
def test_self_target_learns_unless_stopped(
    encoder: Encoder, pixels: Tensor, stop_gradient: bool, has_gradient: bool
) -> None:
    target = Target(TargetOptions("self", stop_gradient=stop_gradient), encoder, "as_described")
    assert target.teacher is None
    assert list(target.parameters()) == []
    targets = target(encoder, pixels)
    assert targets.requires_grad is has_gradient
    if has_gradient:
        targets.square().mul(torch.arange(96)).sum().backward()
        assert encoder.blocks[0].attn.qkv.weight.grad.abs().sum() > 0
    target.update(encoder, 0, 10)  # nothing to move


@pytest.mark.parametrize("kind", ["ema", "self"])
def test_no_gradient_where_gradients_are_off(encoder: Encoder, pixels: Tensor, kind: Any) -> None:
    with torch.no_grad():
        assert not Target(TargetOptions(kind), encoder, "as_described")(encoder, pixels).requires_grad


@pytest.mark.parametrize(
    ("options", "reading", "expected"),
    [
        (TargetOptions("ema"), "as_described", "teacher"),
        (TargetOptions("ema"), "as_released", "teacher"),
        (TargetOptions("self"), "as_described", "online"),
        (TargetOptions("self"), "as_released", "init"),
        (TargetOptions("self", evaluate="online"), "as_released", "online"),
        (TargetOptions("ema", evaluate="online"), "as_released", "online"),
        (TargetOptions("ema", evaluate="init"), "as_described", "init"),
    ],
)
def test_evaluated_weights(encoder: Encoder, options: TargetOptions, reading: Any, expected: str) -> None:
    assert Target(options, encoder, reading).evaluate == expected


def test_bad_options_are_refused() -> None:
    with pytest.raises(UserError, match=r"momentum \(0.5, 1.5\).*\[0, 1\]"):
        TargetOptions(momentum=(0.5, 1.5))
    with pytest.raises(UserError, match=r"evaluate is teacher.*kind is self"):
        TargetOptions("self", evaluate="teacher")
