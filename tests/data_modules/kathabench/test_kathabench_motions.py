"""The eight motions agree in distribution with the study's generator; every range here is one of its numbers."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

from data_modules.kathabench.motions import MOTIONS, SIZE, Floats, Motion, draw_motion
from data_modules.kathabench.spec import KathaBenchSpec

NUM_FRAMES, COUNT, RADIUS = 16, 600, 20.0


@lru_cache(maxsize=8)
def drawn(name: str) -> tuple[Motion, ...]:
    rng = np.random.default_rng(MOTIONS.index(name))
    return tuple(draw_motion(name, RADIUS, NUM_FRAMES, rng) for _ in range(COUNT))


def paths(name: str) -> Floats:
    """(n, F, 2) centres of many clips."""
    return np.stack([motion.centre for motion in drawn(name)])


def inside(path: Floats) -> np.ndarray:
    """Whether each clip keeps clear of the frame's border."""
    return ((path > 0) & (path < SIZE)).all(axis=(1, 2))


def assert_uniform(values: Floats, low: float, high: float) -> None:
    """Range, mean and spread of a uniform distribution, to four standard errors and 2 % of the range at the ends."""
    width, n = high - low, len(values)
    assert low - 1e-6 <= values.min() <= low + 0.02 * width and high - 0.02 * width <= values.max() <= high + 1e-6
    assert abs(values.mean() - (low + high) / 2) < 4 * width / np.sqrt(12 * n)
    assert abs(values.std() - width / np.sqrt(12)) < 4 * width / np.sqrt(12 * n)


def test_the_classes_and_their_order() -> None:
    assert MOTIONS == (
        "linear", "acceleration", "parabolic", "bounce", "orbit", "harmonic", "brownian", "two_body",
    )  # fmt: skip
    with pytest.raises(ValueError, match="no motion is called 'spiral'"):
        draw_motion("spiral", RADIUS, NUM_FRAMES, np.random.default_rng(0))


@pytest.mark.parametrize("name", [name for name in MOTIONS if name != "orbit"])
def test_objects_start_in_the_middle_part(name: str) -> None:
    assert_uniform(paths(name)[:, 0].ravel(), 0.2 * SIZE, 0.8 * SIZE)


@pytest.mark.parametrize("name", [name for name in MOTIONS if name != "bounce"])
def test_centres_stay_in_the_frame(name: str) -> None:
    assert paths(name).min() >= 0 and paths(name).max() <= SIZE


def test_linear_keeps_its_velocity() -> None:
    path = paths("linear")
    steps = np.diff(path[inside(path)], axis=1)
    assert np.allclose(steps, steps[:, :1])
    first = path[:, 1] - path[:, 0]
    assert_uniform(first.ravel(), -10, 10)


def test_acceleration_is_constant() -> None:
    path = paths("acceleration")
    clear = path[inside(path)]
    change = np.diff(clear, n=2, axis=1)
    assert len(clear) > 50 and np.allclose(change, change[:, :1])
    # The first steps of all clips are far from the border, so they show the whole range.
    assert_uniform((path[:, 2] - 2 * path[:, 1] + path[:, 0]).ravel(), -2, 2)
    assert_uniform((path[:, 1] - path[:, 0]).ravel(), -10, 10)


def test_parabolic_rises_and_falls() -> None:
    path = paths("parabolic")
    assert_uniform(path[:, 1, 1] - path[:, 0, 1], -15, -5)
    assert_uniform(path[:, 2, 1] - 2 * path[:, 1, 1] + path[:, 0, 1], 1, 3)
    assert_uniform(path[:, 1, 0] - path[:, 0, 0], -10, 10)
    clear = path[inside(path)]
    assert np.allclose(np.diff(clear[..., 0], n=2, axis=1), 0), "no sideways force"
    assert np.allclose(np.diff(clear[..., 1], n=3, axis=1), 0), "constant gravity"


def test_bounce_turns_outside_its_bounds_and_is_not_put_back() -> None:
    path = paths("bounce")
    steps = np.diff(path, axis=1)
    assert np.allclose(np.abs(steps), np.abs(steps[:, :1])), "speed never changes"
    assert_uniform(steps[:, 0].ravel(), -10, 10)
    outside = (path[:, 1:-1] < RADIUS) | (path[:, 1:-1] > SIZE - RADIUS)
    turned = np.sign(steps[:, 1:]) != np.sign(steps[:, :-1])
    assert outside.sum() > 50 and np.array_equal(turned, outside)


def test_orbit_circles_the_middle() -> None:
    offset = paths("orbit") - SIZE / 2
    distance = np.hypot(offset[..., 0], offset[..., 1])
    assert np.allclose(distance, distance[:, :1])
    assert_uniform(distance[:, 0], 30, 80)
    turn = np.diff(np.unwrap(np.arctan2(offset[..., 1], offset[..., 0]), axis=1), axis=1)
    assert np.allclose(turn, turn[:, :1])
    assert_uniform(turn[:, 0], 0.1, 0.5)


def test_harmonic_swings_sideways() -> None:
    path = paths("harmonic")
    assert np.allclose(path[..., 1], path[:, :1, 1])
    clear = path[inside(path)][..., 0]
    # x'' = -(2 - 2 cos w) x for samples of a sine, also where the middle is unknown: third differences of both sides.
    swing = clear - clear[:, :1]
    bend = swing[:, 2:] - 2 * swing[:, 1:-1] + swing[:, :-2]
    pace = np.arccos(1 + (bend * swing[:, 1:-1]).sum(axis=1) / (2 * (swing[:, 1:-1] ** 2).sum(axis=1)))
    assert_uniform(pace, 0.2, 0.8)
    reach = np.abs(swing[:, 1]) / np.sin(pace)
    assert 20 - 1e-6 <= reach.min() < 22 and 54 < reach.max() <= 60 + 1e-6


def test_brownian_steps_are_independent() -> None:
    path = paths("brownian")
    steps = np.diff(path[inside(path)], axis=1)
    assert_uniform((path[:, 1] - path[:, 0]).ravel(), -15, 15)
    assert abs(np.corrcoef(steps[:, :-1].ravel(), steps[:, 1:].ravel())[0, 1]) < 0.05


def test_two_bodies_attract() -> None:
    motions = drawn("two_body")
    partner = np.stack([motion.partner for motion in motions if motion.partner is not None])
    assert len(partner) == COUNT and all(motion.partner is None for motion in drawn("linear"))
    assert_uniform(partner.ravel(), 0.2 * SIZE, 0.8 * SIZE)
    path = paths("two_body")
    offset = partner - path[:, 1]
    distance = np.hypot(offset[:, 0], offset[:, 1])
    pull = path[:, 2] - 2 * path[:, 1] + path[:, 0]
    clear = inside(path) & (distance > 1)
    expected = 50 / distance[:, None] ** 3 * offset
    assert np.allclose(pull[clear], expected[clear])
    assert np.median(np.abs(expected)) < 0.02, "faint, as documented"


def test_the_two_shortcuts_of_the_definition_are_there() -> None:
    spec = KathaBenchSpec(clips=40)
    assert [spec.label("train", index) for index in range(8)] == list(range(8))
    spread = {name: np.hypot(*(paths(name).mean(axis=(0, 1)) - SIZE / 2)) for name in MOTIONS}
    assert spread["orbit"] < 10, "orbits are centred, wherever objects start"
