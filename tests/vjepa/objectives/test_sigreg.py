"""SIGReg: the statistic against numbers and by hand, its directions, its scale, its memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.conftest import Golden
from tests.vjepa.objectives.samples import build, sample
from vjepa.errors import UserError
from vjepa.latents import Latents
from vjepa.objectives.sigreg import KNOTS, SketchedIsotropy, _WaveSums, directions, epps_pulley

CPU = torch.device("cpu")


def of_rows(rows: Tensor, step: int = 0) -> Latents:
    """One clip whose only mask shows these rows: (n, D)."""
    return replace(sample(), context=(rows[None],), step=step)


def value(rows: Tensor, step: int = 0, **options: Any) -> Tensor:
    return SketchedIsotropy(**{"num_slices": 64, **options})(of_rows(rows, step)).loss


def waves(x: Tensor) -> Tensor:
    return _WaveSums.apply(x) / len(x)


# -- golden numbers


def test_statistic_equals_the_golden_one(golden: Golden) -> None:
    case = golden("sigreg")
    torch.testing.assert_close(torch.tensor(KNOTS), case["ep_t"], rtol=0, atol=0)
    rows = case["ep_x"]
    torch.testing.assert_close(len(rows) * epps_pulley(waves(rows)), case["ep_stat"], rtol=1e-5, atol=0)


@pytest.mark.parametrize("slices", [64, 1024])
@pytest.mark.parametrize("call", [0, 1, 2])
def test_value_and_gradient_equal_the_golden_ones(golden: Golden, slices: int, call: int) -> None:
    case = golden("sigreg")
    rows = case[f"sig{slices}_z"].clone().requires_grad_()
    loss = value(rows, call, num_slices=slices)
    assert loss.item() == pytest.approx(case[f"sig{slices}_values_call0_1_2"][call].item(), rel=1e-5)
    if slices == 64:
        torch.testing.assert_close(directions(32, 64, call, CPU), case[f"sig64_A{call}"], rtol=0, atol=1e-7)
    if call == 0:
        loss.backward()
        torch.testing.assert_close(rows.grad, case[f"sig{slices}_grad0"], rtol=0, atol=1e-6)


# -- by hand


def test_collapsed_rows_by_hand() -> None:
    # All rows zero: every mean cosine is 1 and every mean sine 0, whatever the directions.
    knots = np.linspace(-3, 3, 33)
    normal = np.exp(-(knots**2) / 2)
    expected = np.trapezoid((1 - normal) ** 2 * normal, knots)
    assert value(torch.zeros(10, 8), scale="1").item() == pytest.approx(expected, rel=1e-5)
    assert value(torch.zeros(10, 8)).item() == pytest.approx(10 * expected, rel=1e-5)


def test_normal_rows_cost_little_and_any_departure_more() -> None:
    rows = torch.randn(4000, 8, generator=torch.Generator().manual_seed(0))
    normal = value(rows)
    for other in (0.5 * rows, rows + 0.5, rows.sign(), rows[:, :1].expand(-1, 8)):
        assert value(other) > 5 * normal
    # For n normal rows the statistic stays put: n times less in each mean square, n times more by the scale.
    assert normal.item() == pytest.approx(value(rows[:400]).item(), rel=0.5)


def test_all_tokens_of_all_masks_are_rows() -> None:
    latents = sample(batch=3)
    term = build(SketchedIsotropy(num_slices=32))
    rows = torch.cat([tokens.flatten(0, 1) for tokens in latents.context])
    output = term(latents)
    assert output.loss.item() == pytest.approx(value(rows, latents.step, num_slices=32).item(), rel=1e-6)
    assert output.logs["per_row"].item() == pytest.approx(output.loss.item() / len(rows), rel=1e-6)


# -- gradient and memory


def test_gradient_of_the_wave_sums() -> None:
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(_WaveSums.apply, x)
    expected = torch.stack([torch.stack(((t * x).cos().sum(0), (t * x).sin().sum(0))) for t in KNOTS], dim=1)
    torch.testing.assert_close(_WaveSums.apply(x), expected)


def test_nothing_is_kept_for_each_knot() -> None:
    kept: list[int] = []

    def pack(tensor: Tensor) -> Tensor:
        kept.append(tensor.numel())
        return tensor

    rows = torch.randn(500, 8, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        value(rows)
    assert 500 * 64 <= sum(kept) < 2 * 500 * 64


# -- directions


def test_directions_are_unit_columns_fixed_by_the_step() -> None:
    drawn = directions(8, 100, 7, CPU)
    torch.testing.assert_close(drawn.norm(dim=0), torch.ones(100))
    torch.manual_seed(3)
    before = torch.get_rng_state()
    assert torch.equal(drawn, directions(8, 100, 7, CPU))
    assert torch.equal(before, torch.get_rng_state())
    assert not torch.allclose(drawn, directions(8, 100, 8, CPU))


def test_value_follows_the_step_and_nothing_else() -> None:
    rows = torch.randn(40, 8, generator=torch.Generator().manual_seed(0))
    term = SketchedIsotropy(num_slices=4)
    first = term(of_rows(rows, 5)).loss
    assert not torch.equal(first, term(of_rows(rows, 6)).loss)
    assert torch.equal(first, term(of_rows(rows, 5)).loss)


# -- modes and options


def test_the_same_without_gradients() -> None:
    rows = torch.randn(40, 8)
    with torch.inference_mode():
        held_out = value(rows)
    assert torch.equal(held_out, value(rows))


def test_autocast_leaves_it_in_float32() -> None:
    rows = torch.randn(40, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = value(rows)
    assert torch.equal(mixed, value(rows))


def test_bf16_tokens_are_taken() -> None:
    rows = torch.randn(40, 8).bfloat16().requires_grad_()
    value(rows).backward()
    assert rows.grad is not None and rows.grad.dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_slices": 0}, "num_slices 0: expected at least 1"),
        ({"scale": "rows"}, "scale 'rows': expected one of n, 1"),
    ],
    ids=str,
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=rf"objectives\.sigreg\.{message}"):
        SketchedIsotropy(**options)
