"""What the clips show: deterministic, split by image, and separable by time where they claim to be."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsClassifier

from data_modules.glyphs.draw import digit_images, draw_clip, render_clip, split_images
from data_modules.glyphs.paths import Floats, draw_path
from data_modules.glyphs.spec import MOTIONS, ORDERS, REVERSE_OF, SPLITS, GlyphSpec


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))


def render(spec: GlyphSpec, name: str, seed: int) -> NDArray[np.uint8]:
    return render_clip(spec, digit_images()[0][seed % 100], name, rng(seed))


def test_a_clip_depends_on_seed_split_and_index_alone(spec: GlyphSpec) -> None:
    clip = draw_clip(spec, "train", 5)
    draw_clip(spec, "val", 3)
    assert clip.shape == (8, 32, 32, 3) and clip.dtype == np.uint8
    assert np.array_equal(clip, draw_clip(spec, "train", 5))
    more = GlyphSpec(train_clips=100, val_clips=8, test_clips=10)
    assert np.array_equal(clip, draw_clip(more, "train", 5)), "more clips must not change the first ones"
    assert not np.array_equal(clip, draw_clip(spec, "val", 5))
    assert not np.array_equal(clip, draw_clip(GlyphSpec(seed=1), "train", 5))


def test_no_digit_image_is_in_two_splits() -> None:
    images = digit_images()[0].reshape(-1, 64)
    assert len(np.unique(images, axis=0)) == len(images), "equal images could cross the splits"
    for digit in range(10):
        parts = [set(split_images(split, digit)) for split in SPLITS]
        assert all(len(part) >= 20 for part in parts)
        assert len(set().union(*parts)) == sum(map(len, parts)) == (digit_images()[1] == digit).sum()


@pytest.mark.parametrize(("late", "early"), REVERSE_OF.items())
def test_the_second_of_a_pair_is_the_first_played_backwards(spec: GlyphSpec, late: str, early: str) -> None:
    for seed in range(5):
        forwards, backwards = render(spec, early, seed), render(spec, late, seed)
        assert np.array_equal(backwards, forwards[::-1])
        assert not np.array_equal(backwards, forwards)


def test_the_drawn_quantity_changes_monotonically() -> None:
    for seed in range(20):
        assert (np.diff(draw_path("grow", 8, rng(seed)).scale) > 0).all()
        assert (np.diff(draw_path("fade_in", 8, rng(seed)).opacity) > 0).all()
        centre = draw_path("approach", 8, rng(seed)).centre
        steps = np.diff(centre, axis=0)
        assert (np.abs(centre[-1] - 0.5) < 0.6).all() and np.ptp(np.arctan2(steps[:, 1], steps[:, 0])) < 1e-6


def paths(name: str, count: int = 400) -> Floats:
    """Centres (count, F, 2) of a class, in units of the frame."""
    first = count * MOTIONS.index(name)
    seeds = range(first, first + count)
    drawn = np.stack([draw_path(REVERSE_OF.get(name, name), 8, rng(seed)).centre for seed in seeds])
    return drawn[:, ::-1] if name in REVERSE_OF else drawn


def test_turning_and_speed_tell_the_motions_apart() -> None:
    def turning(name: str) -> Floats:
        """Mean signed area swept per step: positive is clockwise, since y points down."""
        steps = np.diff(paths(name), axis=1)
        swept = steps[:, :-1, 0] * steps[:, 1:, 1] - steps[:, :-1, 1] * steps[:, 1:, 0]
        return np.asarray(swept.mean(axis=1))

    def speed_up(name: str) -> Floats:
        speed = np.linalg.norm(np.diff(paths(name), axis=1), axis=2)
        return np.asarray(speed[:, -1] / speed[:, 0])

    assert (turning("circle_cw") > 0).all() and (turning("circle_ccw") < 0).all()
    assert np.allclose(turning("line"), 0, atol=1e-9)
    assert (speed_up("accelerate") > 3).all() and (speed_up("decelerate") < 1 / 3).all()
    assert np.allclose(speed_up("line"), 1)


@pytest.mark.parametrize("name", MOTIONS)
def test_a_moving_glyph_stays_in_view_and_moves_visibly(name: str) -> None:
    centre = paths(name)
    travelled = np.ptp(centre, axis=1).max(axis=1) * 32
    assert (centre > 0.08).all() and (centre < 0.92).all()
    assert (travelled > 4).mean() > 0.95, "a path should cross several pixels of a 32-pixel frame"


def test_a_single_place_says_little_about_the_motion_and_the_path_says_it_all() -> None:
    centres = np.concatenate([paths(name) for name in MOTIONS])  # (8 * 400, F, 2)
    classes = np.repeat(np.arange(len(MOTIONS)), 400)
    order = rng().permutation(len(classes))
    train, test = order[:2400], order[2400:]

    def accuracy(features: Floats, neighbours: int) -> float:
        probe = KNeighborsClassifier(neighbours).fit(features[train], classes[train])
        return float(probe.score(features[test], classes[test]))

    assert all(accuracy(centres[:, frame], 50) < 0.28 for frame in range(8)), "chance is 0.125"
    assert accuracy(np.diff(centres, axis=1).reshape(len(classes), -1), 15) > 0.85


@pytest.mark.parametrize("name", [*MOTIONS, *ORDERS])
def test_frames_differ_over_time_and_the_background_rests(spec: GlyphSpec, name: str) -> None:
    clip = render(GlyphSpec(noise=0.0), name, 7).astype(float)
    change = np.ptp(clip, axis=0).max(axis=-1)
    assert change.max() > 30
    assert (change == 0).mean() > 0.1


def test_pairs_of_different_seeds_have_the_same_ink_at_every_rank_of_size() -> None:
    """Sorted over time, the inked area of grow and of shrink comes from the same distribution."""
    plain = GlyphSpec(background=0.0, noise=0.0)

    def areas(name: str, first: int) -> Floats:
        clips = [render(plain, name, seed) for seed in range(first, first + 80)]
        return np.sort([(clip.max(axis=-1) > 110).mean(axis=(1, 2)) for clip in clips], axis=1)

    grow, shrink = areas("grow", 0), areas("shrink", 1000)
    error = np.sqrt(grow.var(axis=0) / 80 + shrink.var(axis=0) / 80)
    assert (np.abs(grow.mean(axis=0) - shrink.mean(axis=0)) < 4 * error).all()
    assert (grow.mean(axis=0)[-1] - grow.mean(axis=0)[0]) > 10 * error.max()
