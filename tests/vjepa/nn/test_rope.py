"""Rotary positions: the study's numbers, and the properties that make them positions."""

from __future__ import annotations

import pytest
import torch

from tests.conftest import Golden
from vjepa.grid import Grid
from vjepa.nn.rope import axis_angles, axis_channels, rope_table, rotary_table, rotate

CPU = torch.device("cpu")


def test_one_axis_rotation_equals_the_study(golden: Golden) -> None:
    case = golden("rope_rotation")
    theta = axis_angles(case["rot_pos"], case["rot_x"].shape[-1])
    rotated = rotate(case["rot_x"], torch.stack((theta.cos(), theta.sin()), -1))
    torch.testing.assert_close(rotated, case["rot_y"], atol=1e-5, rtol=0)


@pytest.mark.parametrize(("head_dim", "channels"), [(64, 20), (32, 10), (16, 4), (8, 2)])
def test_each_axis_gets_the_largest_even_third(head_dim: int, channels: int) -> None:
    assert axis_channels(head_dim) == channels


def test_one_pair_by_hand() -> None:
    # Position 3 at frequency 1 turns (1, 0) into (cos 3, sin 3); the second pair turns at 10000 ** (-1/2) = 0.01.
    theta = axis_angles(torch.tensor([3.0]), 4)
    torch.testing.assert_close(theta, torch.tensor([[3.0, 0.03]]))
    turned = rotate(torch.tensor([[[[1.0, 0.0, 0.0, 1.0]]]]), torch.stack((theta.cos(), theta.sin()), -1))
    expected = torch.stack((theta[0, 0].cos(), theta[0, 0].sin(), -theta[0, 1].sin(), theta[0, 1].cos()))
    torch.testing.assert_close(turned.flatten(), expected)


def test_axes_are_depth_height_width_and_the_rest_is_not_rotated() -> None:
    grid, head_dim = Grid(3, 4, 5), 16
    angles = rotary_table(grid, head_dim, None, CPU)[..., 1].asin()  # sines of the slowest pair are below pi / 2
    slow = angles.view(3, 4, 5, head_dim // 2)[..., [1, 3, 5]] * 100.0
    torch.testing.assert_close(slow[2, 3, 4], torch.tensor([2.0, 3.0, 4.0]), atol=1e-3, rtol=0)
    cosines, sines = rotary_table(grid, head_dim, None, CPU)[:, 6:].unbind(-1)
    assert (cosines == 1).all()
    assert (sines == 0).all()


@pytest.mark.parametrize("side", [4, 8, 14, 20])
def test_rows_and_columns_are_stretched_to_the_reference_and_time_is_not(side: int) -> None:
    def slow_angle(token: int) -> list[float]:
        sines = rotary_table(Grid(7, side, side), 16, 16, CPU)[..., 1]
        return (sines[token, [1, 3, 5]].asin() * 100.0).tolist()

    assert slow_angle(7 * side * side - 1) == pytest.approx([6.0, 15.0, 15.0], abs=1e-2)
    assert slow_angle(0) == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("grid", [Grid(1, 1, 1), Grid(2, 1, 5), Grid(2, 5, 1)])
def test_axes_of_length_one_stay_finite(grid: Grid) -> None:
    table = rotary_table(grid, 16, 16, CPU)
    assert table.isfinite().all()
    assert table.shape == (grid.num_tokens, 8, 2)


def test_scores_depend_on_distance_only() -> None:
    query, key = torch.randn(2, 1, 1, 1, 24, generator=torch.Generator().manual_seed(0)).unbind(0)
    table = rotary_table(Grid(8, 4, 4), 24, None, CPU)

    def score(a: int, b: int) -> float:
        return float((rotate(query, table[[a]]) * rotate(key, table[[b]])).sum())

    shift = 2 * 16 + 4 + 1  # two time steps, one row, one column
    assert score(0, 21) == pytest.approx(score(shift, 21 + shift), abs=1e-5)
    assert score(0, 21) != pytest.approx(score(0, 22), abs=1e-3)


def test_angles_are_float32_under_bf16_autocast() -> None:
    plain = rotary_table(Grid(8, 14, 14), 64, 16, CPU)
    rotary_table.cache_clear()
    x = torch.randn(1, 2, 1568, 64, generator=torch.Generator().manual_seed(0)).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        table = rotary_table(Grid(8, 14, 14), 64, 16, CPU)
        rotated = rotate(x, table)
    assert table.dtype == torch.float32
    assert torch.equal(table, plain)
    assert torch.equal(rotated, rotate(x.float(), plain).bfloat16())


def test_a_table_made_in_inference_mode_can_train() -> None:
    rotary_table.cache_clear()
    with torch.inference_mode():
        rotary_table(Grid(1, 2, 2), 8, 16, CPU)
    x = torch.ones(1, 1, 4, 8, requires_grad=True)
    rotate(x, rotary_table(Grid(1, 2, 2), 8, 16, CPU)).sum().backward()
    assert x.grad is not None


def test_tiled_frequencies_give_each_channel_of_a_pair_its_own_angle() -> None:
    grid, head_dim = Grid(3, 4, 5), 16  # 4 channels an axis, 4 unrotated
    table = rope_table("v2", grid, head_dim, 8, CPU)
    assert table.shape == (60, 8, 4)
    x = torch.randn(60, head_dim)
    turned = rotate(x, table)
    token = 2 * 20 + 3 * 5 + 4  # last time step, row and column, positions not stretched
    for first, position in ((0, 2), (4, 3), (8, 4)):
        for channel in range(4):
            angle = torch.tensor(position * (1.0, 0.01)[channel % 2])  # 10000 ** (-i / 2) for i = 0, 1, then again
            pair = x[token, first + channel ^ 1] * (-1 if channel % 2 == 0 else 1)
            expected = x[token, first + channel] * angle.cos() + pair * angle.sin()
            assert torch.isclose(turned[token, first + channel], expected, atol=1e-6)
    assert torch.equal(turned[:, 12:], x[:, 12:])


def test_versions_differ_in_frequencies_and_in_range() -> None:
    grid = Grid(3, 4, 5)
    assert torch.equal(rope_table("v2_1", grid, 16, 8, CPU), rotary_table(grid, 16, 32, CPU))
    plain, tiled = rotary_table(grid, 16, None, CPU), rope_table("v2", grid, 16, 8, CPU)
    assert torch.equal(plain[:, 0], tiled[:, 0, :2])  # the fastest frequency of the first pair is the same
    assert not torch.equal(plain[:, 0], tiled[:, 0, 2:])
