"""Hamiltonian dynamics: the written-out derivative, the integrator, and the term by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import gelu

from tests.vjepa.objectives.samples import build, sample
from vjepa.errors import UserError
from vjepa.grid import Grid
from vjepa.latents import Masks
from vjepa.objectives.hamiltonian import HamiltonianDynamics, gelu_slope

KINDS = ("by_level", "within_level")


def term_of(width: int = 6, **options: Any) -> HamiltonianDynamics:
    return build(HamiltonianDynamics(**{"hidden": 7, **options}), "whole", width=width)


def double_term(scale: float = 3.0) -> HamiltonianDynamics:
    """In double precision, with weights so large that the energy is far from linear."""
    term = term_of().double()
    with torch.no_grad():
        for parameter in term.parameters():
            parameter.mul_(scale)
    return term


def phase(count: int = 5, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    q, p = torch.randn(2, count, 12, generator=generator, dtype=torch.double)
    return q, p


def energy(term: HamiltonianDynamics, q: Tensor, p: Tensor) -> Tensor:
    return term.energy(torch.cat((q, p), dim=-1)).squeeze(-1)


# -- derivative


def test_gelu_slope_equals_autograd() -> None:
    x = torch.linspace(-6, 6, 101, dtype=torch.double, requires_grad=True)
    (expected,) = torch.autograd.grad(gelu(x).sum(), x)
    torch.testing.assert_close(gelu_slope(x), expected, rtol=0, atol=1e-14)


def test_slopes_equal_autograd() -> None:
    term = double_term()
    q, p = (x.requires_grad_() for x in phase())
    expected = torch.autograd.grad(energy(term, q, p).sum(), (q, p))
    for ours, theirs in zip(term.slopes(q, p), expected, strict=True):
        assert theirs.abs().max() > 0.1
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


def test_gradient_of_a_step_equals_that_of_nested_autograd() -> None:
    term = double_term()
    q, p = (x.requires_grad_() for x in phase())
    leaves = [q, p, *(parameter for parameter in term.parameters() if parameter.requires_grad)]

    (slope_p,) = torch.autograd.grad(energy(term, q, p).sum(), p, create_graph=True)
    later_q = q + 0.1 * slope_p
    (slope_q,) = torch.autograd.grad(energy(term, later_q, p).sum(), later_q, create_graph=True)
    later_p = p - 0.1 * slope_q
    expected = torch.autograd.grad(later_q.square().sum() + later_p.square().sum(), leaves)

    ours_q, ours_p = term.step(q, p)
    ours = torch.autograd.grad(ours_q.square().sum() + ours_p.square().sum(), leaves)
    for one, other in zip(ours, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


# -- integrator


def test_energy_drifts_with_the_square_of_the_time_step() -> None:
    term, (q, p), drifts = double_term(), phase(), []
    for term.dt in (1e-3, 5e-4):
        drifts.append((energy(term, *term.step(q, p)) - energy(term, q, p)).abs().max().item())
    first_order = 1e-3 * max(slope.square().sum(dim=-1).max().item() for slope in term.slopes(q, p))
    assert drifts[0] < 1e-2 * first_order, "an explicit step along the gradient would change the energy this much"
    assert drifts[0] / drifts[1] == pytest.approx(4.0, rel=0.01)


def test_a_step_keeps_phase_volume_where_the_energy_is_a_sum_over_q_and_p() -> None:
    term, (q, p) = double_term(), phase(count=1)
    with torch.no_grad():  # three hidden units see q alone, four see p alone
        term.energy[0].weight[:3, 12:] = term.energy[0].weight[3:, :12] = 0.0
        term.energy[2].weight[:3, 3:] = term.energy[2].weight[3:, :3] = 0.0

    def flat(state: Tensor) -> Tensor:
        return torch.cat(term.step(state[:12], state[12:]))

    jacobian = torch.autograd.functional.jacobian(flat, torch.cat((q[0], p[0])))
    assert not torch.allclose(jacobian, torch.eye(24, dtype=torch.double), atol=1e-2)
    assert torch.linalg.det(jacobian).item() == pytest.approx(1.0, rel=1e-10)


# -- the term


def pushed(term: HamiltonianDynamics, slope: float) -> HamiltonianDynamics:
    """An energy of one hidden unit with H = slope * gelu(gelu(sum of p)) and no dependence on q."""
    with torch.no_grad():
        for parameter in term.parameters():
            parameter.zero_()
        term.energy[0].weight[0, 12:] = 1.0
        term.energy[2].weight[0, 0] = 1.0
        term.energy[4].weight[0, 0] = slope
    return term


def test_by_hand() -> None:
    # At p = 0 the derivative of gelu(gelu(x)) is 1/4, so q moves by dt * slope / 4 and p stays.
    indices = torch.arange(2)[None]
    latents = sample(Grid(2, 1, 1), 1, masks=Masks((indices,), (indices,)))
    targets = torch.zeros(1, 2, 24)
    targets[:, 1, :12], targets[:, 1, 12:] = 3.0, 0.5
    latents = replace(latents, context=(torch.zeros(1, 2, 24),), targets=targets)
    term = pushed(term_of(dt=0.2), 8.0)
    assert term(latents).loss.item() == pytest.approx((3.0 - 0.2 * 8.0 / 4) + 0.5)
    assert term(replace(latents, exponent=2.0)).loss.item() == pytest.approx((2.6**2 + 0.5**2) / 2)


@pytest.mark.parametrize("split", KINDS)
def test_zero_where_the_targets_follow_the_equations(split: Any) -> None:
    indices = torch.arange(18).expand(2, -1)
    latents = sample(Grid(2, 3, 3), 2, masks=Masks((indices,), (indices,)))
    term = term_of(split=split)
    q, p = term.step(*term.division.split(latents.context[0]))
    moved = torch.cat((q, p), dim=-1)
    if split == "within_level":
        moved = torch.stack((q.unflatten(-1, (4, 3)), p.unflatten(-1, (4, 3))), dim=-2).flatten(-3)
    reached = replace(latents, targets=torch.cat((moved[:, :9], moved[:, :9]), dim=1).detach())
    assert term(latents).loss > 0.1
    assert term(reached).loss.item() == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_value_is_the_same_without_gradients(mode: Any) -> None:
    latents, term = sample(kind="whole"), term_of()
    expected = term(latents).loss.item()
    with mode():
        assert term(latents).loss.item() == expected


def test_autocast_leaves_it_in_float32() -> None:
    latents, term = sample(kind="whole"), term_of()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(term(latents).loss, term.forward(latents).loss)
        mixed = term(latents).loss
    assert torch.equal(mixed, term(latents).loss)


def test_targets_are_detached_and_the_constant_of_energy_is_frozen() -> None:
    latents, term = sample(learned_targets=True), term_of()
    term(latents).loss.backward()
    assert latents.targets.grad is None
    frozen = [name for name, parameter in term.named_parameters() if not parameter.requires_grad]
    assert frozen == ["energy.4.bias"]
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in term.parameters() if p.requires_grad)


def test_energy_sees_position_and_momentum() -> None:
    assert [tuple(p.shape) for p in term_of().energy.parameters()] == [(7, 24), (7,), (7, 7), (7,), (1, 7), (1,)]
    assert math.isclose(HamiltonianDynamics().dt, 0.1) and HamiltonianDynamics().hidden == 256


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dt": 0.0}, r"dt 0\.0: expected a number > 0"),
        ({"hidden": 0}, "hidden 0: expected at least 1"),
        ({"split": "halves"}, r"split 'halves'.*by_level, within_level"),
        ({"split": "within_level", "width": 5}, "split within_level: levels of 5 channels have no two halves"),
    ],
    ids=str,
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=rf"objectives\.hamiltonian\.{message}"):
        term_of(**options)


def test_levels_of_odd_width_are_halved_by_level() -> None:
    term = term_of(width=5)
    q, p = term.division.split(torch.zeros(1, 20))
    assert q.shape == p.shape == (1, 10)
