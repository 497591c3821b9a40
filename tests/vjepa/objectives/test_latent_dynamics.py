"""Latent dynamics: by hand, and the two readings of its hard-region weighting against double-precision loops."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import gelu

from tests.vjepa.objectives.samples import build, one_place, pairs_of, sample
from vjepa.errors import UserError
from vjepa.latents import Latents
from vjepa.objectives.latent_dynamics import LatentDynamics

TEMPERATURE = 0.2
KINDS = ("whole", "within_level")
kinds = pytest.mark.parametrize("kind", KINDS)


def term_of(kind: Any, reading: Any = "as_described", temperature: float | None = TEMPERATURE) -> LatentDynamics:
    return build(LatentDynamics(hidden=5), kind, reading, temperature)


def constant_head(term: LatentDynamics, value: float) -> LatentDynamics:
    with torch.no_grad():
        for parameter in term.dynamics_head.parameters():
            parameter.zero_()
        term.dynamics_head[-1].bias.fill_(value)
    return term


# -- by hand


def test_error_of_a_constant_prediction() -> None:
    term = constant_head(term_of("whole", temperature=None), 1.0)
    # Changes 3 and -1 against a prediction of 1: errors 2 and 2; then 1 and 0: errors 0 and 1.
    latents = one_place([(0.0, 3.0, 2.0), (0.0, 1.0, 1.0)])
    assert term(latents).loss.item() == pytest.approx((2 + 2 + 0 + 1) / 4)


@pytest.mark.parametrize("reading", ["as_described", "as_released"])
def test_hard_weights_run_over_all_pairs_of_the_batch(reading: Any) -> None:
    # Errors ln 3 and 0 in two clips; softmax over both gives 3/4 and 1/4, times two pairs.
    term = constant_head(term_of("whole", reading, temperature=1.0), 0.0)
    latents = one_place([(0.0, math.log(3)), (1.0, 1.0)])
    assert term(latents).loss.item() == pytest.approx((1.5 * math.log(3) + 0.5 * 0.0) / 2)


# -- against loops


def errors(term: Any, latents: Latents, mask: int, tokens: Tensor, weights: list[Tensor]) -> Tensor:
    """Error of each valid pair in double precision: (n,)."""
    inputs = latents.layout.split(tokens)[1] if term.inputs == "dynamics" else tokens
    hidden_weight, hidden_bias, out_weight, out_bias = weights
    targets, found = latents.targets.double(), []
    for b, place, _, now, later in pairs_of(latents, mask):
        guess = out_weight @ gelu(hidden_weight @ inputs[b, place] + hidden_bias) + out_bias
        found.append((guess - (targets[b, later] - targets[b, now])).abs().mean())
    return torch.stack(found)


def detached_loss(term: Any, latents: Latents, leaves: list[Tensor], fixed: list[Tensor] | None) -> Any:
    """The described loss, with the pair weights given, and the weights that these leaves would give."""
    count = len(latents.masks)
    tokens, weights = leaves[:count], leaves[count:]
    each = [errors(term, latents, mask, tokens[mask], weights) for mask in range(count)]
    own = [len(e) * torch.softmax(e / TEMPERATURE, dim=0) for e in each]
    chosen = own if fixed is None else fixed
    return torch.stack([(w * e).mean() for w, e in zip(chosen, each, strict=True)]).mean(), own


@kinds
def test_described_gradient_equals_finite_differences_with_the_weights_held(kind: Any) -> None:
    latents, term = sample(batch=2, kind=kind), term_of(kind)
    parameters = list(term.dynamics_head.parameters())
    loss = term(latents).loss
    gradients = torch.autograd.grad(loss, [*latents.context, *parameters])
    leaves = [leaf.detach().double() for leaf in (*latents.context, *parameters)]
    value, weights = detached_loss(term, latents, leaves, None)
    assert loss.item() == pytest.approx(value.item(), rel=1e-5)
    assert max(w.max() for w in weights) > 1.5, "weights this even would prove nothing"

    generator, step = torch.Generator().manual_seed(0), 1e-7
    for index in range(len(leaves)):
        direction = torch.randn(leaves[index].shape, generator=generator, dtype=torch.double)
        ends = []
        for sign in (1, -1):
            moved = [leaf + sign * step * direction if i == index else leaf for i, leaf in enumerate(leaves)]
            ends.append(detached_loss(term, latents, moved, weights)[0].item())
        expected = (gradients[index].double() * direction).sum().item()
        assert (ends[0] - ends[1]) / (2 * step) == pytest.approx(expected, rel=1e-3, abs=1e-6)


@kinds
def test_readings_agree_in_value_and_differ_in_gradient(kind: Any) -> None:
    latents = sample(kind=kind)
    described, released = term_of(kind), term_of(kind, "as_released")
    one, other = described(latents).loss, released(latents).loss
    assert one.item() == pytest.approx(other.item(), rel=1e-6)
    assert one.requires_grad
    assert not other.requires_grad
    assert all(parameter.requires_grad for parameter in described.parameters())
    assert not any(parameter.requires_grad for parameter in released.parameters())


def test_without_hard_regions_both_readings_train_and_weigh_evenly() -> None:
    latents, losses = sample(kind="whole"), []
    for reading in ("as_described", "as_released"):
        term = term_of("whole", reading, temperature=None)
        assert term.hard_weighting == "none"
        losses.append(term(latents).loss)
        losses[-1].backward()
        assert all(parameter.grad is not None for parameter in term.parameters())
    even = build(LatentDynamics(hidden=5, hard_weighting="detached_weights", temperature=1e9), "whole")
    assert losses[0].item() == losses[1].item() == pytest.approx(even(latents).loss.item(), rel=1e-4)


def test_targets_are_detached() -> None:
    latents = sample(kind="whole")
    targets = latents.targets.requires_grad_()
    term_of("whole")(latents).loss.backward()
    assert targets.grad is None


# -- options


@pytest.mark.parametrize(
    ("kind", "inputs", "width"),
    [("whole", None, 24), ("within_level", None, 12), ("by_level", "dynamics", 12), ("by_level", "whole", 24)],
)
def test_the_head_sees_dynamics_where_the_layout_is_factorized(kind: Any, inputs: Any, width: int) -> None:
    term = build(LatentDynamics(hidden=5, inputs=inputs), kind)
    assert [tuple(p.shape) for p in term.dynamics_head.parameters()] == [(5, width), (5,), (24, 5), (24,)]


def test_temperature_follows_the_hard_region_term_unless_set() -> None:
    assert term_of("whole").temperature == TEMPERATURE
    assert term_of("whole", temperature=None).temperature == 1.0
    assert build(LatentDynamics(temperature=3.0), "whole", temperature=0.5).temperature == 3.0


def test_appearance_is_not_read_by_a_dynamics_head() -> None:
    latents = sample(kind="by_level")
    term_of("by_level")(latents).loss.backward()
    for tokens in latents.context:
        assert tokens.grad is not None
        assert tokens.grad[..., :12].abs().sum() == 0
        assert tokens.grad[..., 12:].abs().sum() > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden": 0}, "hidden 0"),
        ({"temperature": 0.0}, r"temperature 0\.0"),
        ({"inputs": "dynamics"}, "layout is whole"),
    ],
    ids=str,
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=rf"objectives\.latent_dynamics.*{message}"):
        build(LatentDynamics(**options), "whole")
