"""The synthetic clips: pixel for pixel the study's, and a disc that stays whole in the picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from data_modules.synth.draw import SIZE, VELOCITIES, Border, disc_path, make_clip
from tests.conftest import Golden


@pytest.mark.parametrize(
    ("generator", "seed", "velocity"),
    [("generate_synth_videos", 42, None), ("generate_eval_synth_videos", 43, (3, -3))],
)
def test_clips_equal_the_study_s(golden: Golden, generator: str, seed: int, velocity: tuple[int, int] | None) -> None:
    expected: dict[str, Any] = golden("data")
    clip = make_clip(seed, velocity)
    assert clip.shape == (32, 160, 160, 3) and clip.dtype == np.uint8
    assert np.array_equal(clip[[0, 7, 31], ::4, ::4], np.asarray(expected[f"{generator}_clip_frames0_7_31"]))
    moments = [clip.mean(dtype=np.float64), clip.std(dtype=np.float64)]
    np.testing.assert_allclose(moments, np.asarray(expected[f"{generator}_sha_mean"]), rtol=1e-6)


def test_a_clip_depends_on_its_seed_alone() -> None:
    clip = make_clip(7, (4, 0), num_frames=8)
    np.random.default_rng(0).random()
    assert np.array_equal(clip, make_clip(7, (4, 0), num_frames=8))
    assert not np.array_equal(clip, make_clip(8, (4, 0), num_frames=8))


def found_centre(frame: NDArray[np.uint8]) -> tuple[float, float]:
    """Centre of the disc: it alone is brighter than 119 in every channel."""
    rows, columns = np.nonzero((frame >= 120).all(axis=-1))
    return float(columns.mean()), float(rows.mean())


@pytest.mark.parametrize("name", VELOCITIES)
def test_the_disc_drifts_the_way_its_class_says(name: str) -> None:
    for seed in range(100):
        clip = make_clip(seed, VELOCITIES[name], num_frames=8)
        centres = np.array([found_centre(frame) for frame in clip])
        steps = np.diff(centres, axis=0)
        if np.allclose(steps, steps[0], atol=0.01):  # it meets no border
            assert np.allclose(steps[0], VELOCITIES[name], atol=0.01)
            assert ("N" in name) == (steps[0, 1] < -1) and ("E" in name) == (steps[0, 0] > 1)
            return
    pytest.fail("every disc met the border")


@pytest.mark.parametrize("border", ["stop", "bounce"])
def test_the_disc_stays_whole_in_the_picture(border: Border) -> None:
    rng = np.random.default_rng(0)
    for velocity in VELOCITIES.values():
        radius = int(rng.integers(10, 40))
        start = rng.integers(radius, SIZE - radius, size=2)
        path = disc_path(start, velocity, radius, 100, border)
        assert path.min() >= radius and path.max() <= SIZE - 1 - radius
        assert np.array_equal(path[0], start)
        moving = (np.diff(path[-20:], axis=0) != 0).any(axis=0)
        assert moving.tolist() == [border == "bounce" and speed != 0 for speed in velocity]


def test_a_disc_that_stops_rests_each_way_by_itself() -> None:
    path = disc_path(np.array([145, 80]), (3, 3), 12, 8, "stop")
    assert path[:, 0].tolist() == [145, 147, 147, 147, 147, 147, 147, 147]
    assert path[:, 1].tolist() == list(range(80, 104, 3))


def test_a_disc_that_bounces_turns_round() -> None:
    path = disc_path(np.array([145, 80]), (3, 0), 12, 4, "bounce")
    assert path[:, 0].tolist() == [145, 146, 143, 140] and (path[:, 1] == 80).all()


def test_draws_stay_in_their_ranges() -> None:
    clips = np.stack([make_clip(seed, num_frames=2)[0] for seed in range(60)])
    disc = (clips >= 120).all(axis=-1)
    radii = np.sqrt(disc.sum(axis=(1, 2)) / np.pi)
    assert 9.5 < radii.min() < 13 and 36 < radii.max() < 39.5
    assert clips[~disc].max() <= 79 + 29
    assert all((clip[mask] == clip[mask][0]).all() for clip, mask in zip(clips, disc, strict=True)), "one colour"
