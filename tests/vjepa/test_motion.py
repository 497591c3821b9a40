"""Motion maps: equal to the study's where it is followed, closed forms elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.conftest import Golden
from tests.vjepa.moving import GRID, square_pixels
from vjepa.errors import UserError
from vjepa.grid import Grid
from vjepa.motion import MotionGuidance, MotionMaps, motion_map, normalize_motion

SMALL = Grid(2, 2, 2)


def rand_pixels(batch_size: int, seed: int) -> Tensor:
    return torch.rand(batch_size, 3, 16, 224, 224, generator=torch.Generator().manual_seed(seed))


def still_pixels() -> Tensor:
    """Four frames of 8 x 8 pixels, black."""
    return torch.zeros(1, 3, 4, 8, 8)


# -- equal to the study


@pytest.mark.parametrize("config", ["mixed_4gpu_motion_guided", "mixed_4gpu_amg", "ucf101_4gpu_motion_future"])
def test_map_of_the_moving_square_equals_the_study(golden: Golden, config: str) -> None:
    motion = normalize_motion(motion_map(square_pixels(), GRID, "point"), "per_sample")
    torch.testing.assert_close(motion[0], golden("mask_stats")[f"train_{config}/motion_map"])


def test_map_of_noise_equals_the_study(golden: Golden) -> None:
    pixels = (rand_pixels(1, 4) * 255).round() / 255
    motion = normalize_motion(motion_map(pixels, GRID, "point"), "per_sample")
    torch.testing.assert_close(motion[0], golden("mask_stats")["motion_rand_map"])


def test_both_norms_equal_the_study(golden: Golden) -> None:
    stats = golden("mask_stats")
    pixels = rand_pixels(8, 11) * stats["bcast_amplitudes"].view(8, 1, 1, 1, 1)
    pixels[7] = pixels[7, :, :1]
    motion = motion_map(pixels, GRID, "point")
    released = normalize_motion(motion, "broadcast_time")
    torch.testing.assert_close(released, stats["bcast_map_b8_as_released"])
    torch.testing.assert_close(normalize_motion(motion, "per_sample"), stats["bcast_map_each_sample_alone"])
    # What defect 4 is about: the still sample 7 inflates time step 7 of all others.
    assert released[:7, 7].min() > 100 * released[:7, :7].max()


# -- closed forms


def test_area_averages_changes_over_tubelet_and_patch() -> None:
    pixels = still_pixels()
    # One of 16 pixels of patch (0, 1), one of three channels: changes of 3, 0 and 1; the first counts twice.
    pixels[0, 1, :, 2, 5] = torch.tensor([0.0, 3.0, 3.0, 2.0])
    expected = torch.zeros(1, 2, 2, 2)
    expected[0, :, 0, 1] = torch.tensor([(3.0 + 3.0) / 2, (0.0 + 1.0) / 2]) / (3 * 16)
    torch.testing.assert_close(motion_map(pixels, SMALL, "area"), expected)


@pytest.mark.parametrize(("row", "column", "seen"), [(5, 6, True), (6, 5, True), (4, 6, False), (7, 7, False)])
def test_point_reads_the_middle_four_pixels_alone(row: int, column: int, seen: bool) -> None:
    pixels = still_pixels()
    pixels[0, :, :, row, column] = torch.tensor([0.0, 1.0, 1.0, 1.0])  # in patch (1, 1)
    expected = torch.zeros(1, 2, 2, 2)
    expected[0, 0, 1, 1] = 0.25 * seen  # one of four pixels; both frames of the tubelet hold the change
    torch.testing.assert_close(motion_map(pixels, SMALL, "point"), expected)
    assert motion_map(pixels, SMALL, "area")[0, 0, 1, 1] == pytest.approx(1 / 16)


def test_changes_have_no_sign() -> None:
    pixels = torch.rand(2, 3, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(motion_map(pixels, SMALL, "area"), motion_map(-pixels, SMALL, "area"))


@pytest.mark.parametrize("pool", ["area", "point"])
def test_a_clip_of_one_frame_has_no_motion(pool: Any) -> None:
    motion = motion_map(torch.rand(3, 3, 1, 8, 8), Grid(1, 2, 2), pool)
    assert torch.equal(motion, torch.zeros(3, 1, 2, 2))


@pytest.mark.parametrize("pool", ["area", "point"])
def test_maps_are_float32_without_gradient_under_autocast(pool: Any) -> None:
    pixels = torch.rand(2, 3, 4, 8, 8).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        motion = motion_map(pixels, SMALL, pool)
    assert motion.dtype == torch.float32
    assert not motion.requires_grad
    assert torch.equal(motion, motion_map(pixels, SMALL, pool))


# -- norms


def test_per_sample_divides_by_the_maximum_of_each() -> None:
    motion = torch.rand(3, 2, 4, 4, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 9.0, 0.0]).view(
        3, 1, 1, 1
    )
    normalized = normalize_motion(motion, "per_sample")
    assert normalized.amax(dim=(1, 2, 3)).tolist() == [1.0, 1.0, 0.0]
    torch.testing.assert_close(normalized[1], motion[1] / motion[1].max())
    for sample in range(3):
        assert torch.equal(normalized[sample], normalize_motion(motion[sample : sample + 1], "per_sample")[0])


def test_broadcast_time_divides_time_steps_by_the_maxima_of_samples() -> None:
    motion = torch.ones(2, 2, 1, 1) * torch.tensor([2.0, 0.0]).view(2, 1, 1, 1)
    expected = torch.tensor([[1.0, 2e6], [0.0, 0.0]])
    torch.testing.assert_close(normalize_motion(motion, "broadcast_time").flatten(1), expected)


@pytest.mark.parametrize("batch_size", [1, 4, 16])
def test_broadcast_time_needs_as_many_samples_as_time_steps(batch_size: int) -> None:
    message = rf"broadcast_time.* {batch_size} samples of 8 time steps.*batch_size to 8.*per_sample"
    with pytest.raises(UserError, match=message):
        normalize_motion(torch.ones(batch_size, 8, 2, 2), "broadcast_time")


# -- the maps of a run


@pytest.mark.parametrize(
    ("reading", "settings", "expected"),
    [
        ("as_described", {}, ("per_sample", "area")),
        ("as_released", {}, ("broadcast_time", "point")),
        ("as_released", {"norm": "per_sample"}, ("per_sample", "point")),
        ("as_described", {"pool": "point"}, ("per_sample", "point")),
    ],
)
def test_switches_are_settled_by_the_reading(reading: Any, settings: Any, expected: tuple[str, str]) -> None:
    maps = MotionMaps(MotionGuidance(**settings), reading)
    assert (maps.norm, maps.pool) == expected
    pixels = torch.rand(2, 3, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    norm, pool = expected
    assert torch.equal(maps(pixels, SMALL), normalize_motion(motion_map(pixels, SMALL, pool), norm))  # type: ignore[arg-type]


def test_held_out_maps_do_not_depend_on_reading_or_batch() -> None:
    described, released = (MotionMaps(MotionGuidance(), reading) for reading in ("as_described", "as_released"))  # type: ignore[arg-type]
    pixels = torch.rand(5, 3, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    motion = released(pixels, SMALL, held_out=True)
    assert torch.equal(motion, described(pixels, SMALL, held_out=True))
    assert torch.equal(motion[3:], released(pixels[3:], SMALL, held_out=True))


def test_images_pass_whatever_the_norm() -> None:
    maps = MotionMaps(MotionGuidance(), "as_released")
    assert torch.equal(maps(torch.rand(3, 3, 1, 8, 8), Grid(1, 2, 2)), torch.zeros(3, 1, 2, 2))


def test_a_batch_is_checked_by_the_norm() -> None:
    MotionMaps(MotionGuidance(), "as_described").check_batch(32, 8)
    released = MotionMaps(MotionGuidance(), "as_released")
    released.check_batch(8, 8)
    with pytest.raises(UserError, match="32 samples of 8 time steps"):
        released.check_batch(32, 8)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MotionGuidance(strength=-1), r"masker motion.strength -1: expected a number >= 0"),
        (lambda: MotionGuidance(strength=float("nan")), r"masker motion.strength nan"),
        (lambda: MotionGuidance(strength=float("inf")), r"masker motion.strength inf"),
        (lambda: MotionGuidance(random_rate=-0.1), r"masker motion.random_rate -0.1: expected a share in \[0, 1\]"),
        (lambda: MotionGuidance(random_rate=1.1), r"masker motion.random_rate 1.1"),
        (lambda: MotionGuidance(norm="per_samples"), r"masker motion.norm 'per_samples' \(did you mean 'per_sample'"),  # type: ignore[arg-type]
        (lambda: MotionGuidance(pool="mean"), r"masker motion.pool 'mean': expected one of area, point"),  # type: ignore[arg-type]
    ],
)
def test_bad_values_are_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make()
