"""The shared arithmetic: exact convolution, kernels, zoom."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate

from vjepa.corruptions.filters import convolve, disk_kernel, line_kernels, pad, pick, zoom_in

PLANES = np.random.default_rng(0).integers(0, 256, (3, 20, 27)).astype(np.uint8)


@pytest.mark.parametrize(("border", "mode"), [("reflect", "mirror"), ("edge", "nearest")])
@pytest.mark.parametrize("size", [1, 3, 7, 25])
def test_convolution_agrees_with_a_direct_sum(border: str, mode: str, size: int) -> None:
    kernel = np.random.default_rng(1).random((size, size))
    kernel /= kernel.sum()
    found = convolve(torch.from_numpy(PLANES), kernel, border).numpy()  # type: ignore[arg-type]
    for plane, result in zip(PLANES, found, strict=True):
        # Weights are whole multiples of 2^-20.
        assert np.abs(result - correlate(plane.astype(float), kernel, mode=mode)).max() < 255 * size**2 * 2.0**-20


def test_convolution_is_exact() -> None:
    kernel = np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]]) / 8
    centre = PLANES.astype(int)[:, 1:-1, 1:-1]
    around = sum(np.roll(PLANES.astype(int), shift, axis)[:, 1:-1, 1:-1] for shift in (-1, 1) for axis in (1, 2))
    found = convolve(torch.from_numpy(PLANES), kernel, "edge")[:, 1:-1, 1:-1].numpy()
    assert np.array_equal(found, (4 * centre + around) / 8)


def test_each_plane_may_have_its_own_kernel() -> None:
    kernels = np.zeros((3, 3, 3))
    kernels[0, 1, 1] = kernels[1, 0, 1] = kernels[2, 1, 2] = 1
    found = convolve(torch.from_numpy(PLANES), kernels, "edge").numpy()
    assert np.array_equal(found[0], PLANES[0])
    assert np.array_equal(found[1][1:], PLANES[1][:-1])
    assert np.array_equal(found[2][:, :-1], PLANES[2][:, 1:])


def test_margins_may_exceed_the_plane() -> None:
    one = torch.full((1, 1, 2), 7)
    assert (pad(one, 5, "reflect") == 7).all() and pad(one, 5, "edge").shape == (1, 11, 12)


@pytest.mark.parametrize(("radius", "alias"), [(3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)])
def test_the_disk_is_as_wide_as_stated_at_any_scale(radius: float, alias: float) -> None:
    def width(scale: float) -> float:
        kernel = disk_kernel(radius, alias, scale)
        assert kernel.sum() == pytest.approx(1)
        assert np.allclose(kernel, kernel.T) and np.allclose(kernel, kernel[::-1])
        place = np.arange(len(kernel)) - len(kernel) // 2
        return float((kernel.sum(0) @ place**2) ** 0.5 / scale)

    # A disk of radius r has variance r^2 / 4 along each axis.
    assert width(1.0) == pytest.approx(np.sqrt(radius**2 / 4 + alias**2), rel=0.04)
    assert [width(scale) for scale in (1 / 7, 2 / 7, 0.5)] == pytest.approx([width(1.0)] * 3)
    assert [width(scale) for scale in (8 / 7, 2.0)] == pytest.approx([width(1.0)] * 2, rel=0.04)


def test_the_disk_at_224_px_is_binary_but_for_its_rim() -> None:
    y, x = np.mgrid[-8:9, -8:9]
    disk = (x**2 + y**2 <= 9) / 29
    assert np.abs(disk_kernel(3, 0.1, 1.0)[1:-1, 1:-1] - disk).max() < 1e-9


@pytest.mark.parametrize(("angle", "row", "column"), [(0.0, 0, 1), (90.0, 1, 0), (45.0, 1, 1)])
def test_a_line_starts_at_the_centre_and_fades(angle: float, row: int, column: int) -> None:
    kernel = line_kernels(torch.tensor([angle]), 10, 3, 1.0)[0].numpy()
    centre = len(kernel) // 2
    taps = kernel[centre + row, centre + column] / kernel[centre, centre]
    assert kernel.shape == (41, 41)
    # At 45 degrees two taps fall on one pixel now and then; the first does not.
    assert taps >= np.exp(-1 / 18) - 1e-9
    assert kernel[:centre].sum() == 0 and kernel[:, :centre].sum() == 0
    assert kernel.sum() == pytest.approx(np.exp(-(np.arange(21) ** 2) / 18).sum())


def test_zooming_by_one_is_the_identity_and_by_two_doubles() -> None:
    x = torch.arange(16.0).expand(1, 1, 16, 16)
    assert torch.equal(zoom_in(x, 1.0), x)
    step = zoom_in(x, 2.0).diff(dim=-1)
    assert torch.allclose(step, torch.full_like(step, 7 / 15))


def test_picking_beyond_the_edge_repeats_it() -> None:
    frames = torch.arange(2 * 1 * 3 * 4 * 3, dtype=torch.uint8).view(2, 1, 3, 4, 3)
    rows, columns = torch.arange(3)[:, None] + 5, torch.arange(4)
    shifted = pick(frames, rows[None, None], columns[None, None].expand(2, 1, 1, 4))
    assert torch.equal(shifted, frames[:, :, 2:].expand_as(frames))
