"""Parameter groups and schedules of the optimizer."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from vjepa.errors import UserError
from vjepa.nn import Encoder, Predictor, Preset, preset
from vjepa.optimization import OptimizerOptions, parameter_groups


def sizes(groups: list[dict[str, Any]]) -> list[int]:
    return [sum(p.numel() for p in group["params"]) for group in groups]


def test_groups_of_the_base_model_have_the_sizes_of_the_study() -> None:
    with torch.device("meta"):
        groups = parameter_groups([Encoder(preset("base")), Predictor(preset("base"), 16, 6)])
    assert sizes(groups) == [86_705_664, 10_422_272, 127_488, 34_304]
    assert [group["decays"] for group in groups] == [True, True, False, False]


def test_heads_follow_in_their_own_groups_and_modules_without_parameters_do_not() -> None:
    modules = [nn.Linear(2, 3), nn.Linear(3, 4), nn.GELU(), nn.Linear(4, 5)]
    groups = parameter_groups(modules)
    assert sizes(groups) == [6, 12, 3, 4, 20, 5]
    assert [group["decays"] for group in groups] == [True, True, False, False, True, False]


def test_mask_tokens_and_modality_vectors_are_decayed_and_norms_are_not() -> None:
    small = Preset(8, 4, 1, 8, 1, 1)
    encoder, predictor = Encoder(small, 8), Predictor(small, 8)
    decayed, plain, _, rest = (set(map(id, g["params"])) for g in parameter_groups([encoder, predictor]))
    assert id(encoder.video_mod_embed) in decayed
    assert id(predictor.mask_tokens[0]) in plain
    assert id(predictor.predictor_norm.weight) in rest


def test_every_parameter_is_in_exactly_one_group() -> None:
    small = Preset(8, 4, 1, 8, 1, 1)
    modules = [Encoder(small, 8), Predictor(small, 8), nn.Linear(2, 2)]
    grouped = [id(p) for group in parameter_groups(modules) for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for module in modules for p in module.parameters())


def test_schedules_reach_the_groups() -> None:
    options = OptimizerOptions(
        lr=1.0, lr_start=0.0, lr_final=0.0, warmup_steps=10, weight_decay=0.1, weight_decay_final=0.3
    )
    optimizer = options.build([nn.Linear(2, 2), nn.Linear(2, 2)])
    for step, rate, decay in ((1, 0.1, None), (10, 1.0, None), (30, 0.5, None), (25, None, 0.2), (50, 0.0, 0.3)):
        returned = options.apply(optimizer, step, 50)
        decayed, plain = optimizer.param_groups[0], optimizer.param_groups[2]
        assert returned == decayed["lr"] == plain["lr"]
        assert plain["weight_decay"] == 0.0
        if rate is not None:
            assert returned == pytest.approx(rate)
        if decay is not None:
            assert decayed["weight_decay"] == pytest.approx(decay)


def test_defaults_are_the_study() -> None:
    options = OptimizerOptions()
    optimizer = options.build([nn.Linear(2, 2), nn.Linear(2, 2)])
    assert options.apply(optimizer, 1, 30_000) == pytest.approx(1e-4 + 5e-4 / 300)
    assert options.apply(optimizer, 29_000, 30_000) == pytest.approx(6e-4)
    assert optimizer.defaults["betas"] == (0.9, 0.999)
    assert optimizer.defaults["eps"] == 1e-8
    assert optimizer.param_groups[0]["weight_decay"] == pytest.approx(0.04)


def test_frozen_parameters_are_never_updated() -> None:
    frozen, free = nn.Linear(2, 2), nn.Linear(2, 2)
    frozen.requires_grad_(False)
    before = frozen.weight.clone()
    options = OptimizerOptions(lr_start=0.1, warmup_steps=0, lr=0.1)
    optimizer = options.build([frozen, free])
    options.apply(optimizer, 1, 10)
    free(frozen(torch.ones(1, 2))).sum().backward()
    start = free.weight.clone()
    optimizer.step()
    assert torch.equal(frozen.weight, before)
    assert not torch.equal(free.weight, start)


@pytest.mark.parametrize("name", ["lr", "lr_start", "lr_final", "warmup_steps", "weight_decay", "weight_decay_final"])
def test_negative_values_are_refused(name: str) -> None:
    with pytest.raises(UserError, match=rf"model.optimizer.{name} -1: expected a number >= 0"):
        OptimizerOptions(**{name: -1})
