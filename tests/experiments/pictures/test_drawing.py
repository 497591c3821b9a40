"""Animations and pictures, decoded again and looked at pixel by pixel."""

from __future__ import annotations

from io import BytesIO
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from experiments.pictures import (
    Panel,
    beside,
    draw_features,
    draw_masks,
    encode_gif,
    encode_png,
    fitted,
    image_summary,
    principal_colours,
    sized,
)
from experiments.pictures.masks import TARGET
from vjepa.grid import Grid

GRID = Grid(4, 2, 2)
CLIP = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
STILL = np.full((8, 32, 32, 3), 200, np.uint8)
# Each time step shows its first token; mask 1 asks for one token and leaves the rest.
ALL = np.arange(GRID.num_tokens)
MASKS = ((ALL[ALL % 4 == 0], ALL[ALL % 4 != 0]), (ALL[ALL % 4 == 0], ALL[ALL % 4 == 3]))


def opened(data: bytes) -> list[np.ndarray]:
    image = Image.open(BytesIO(data))
    frames = []
    for number in range(getattr(image, "n_frames", 1)):
        image.seek(number)
        frames.append(np.asarray(image.convert("RGB")))
    return frames


@pytest.mark.parametrize(
    ("size", "shown"),
    [((32, 32), (160, 160)), ((64, 48), (128, 96)), ((224, 224), (160, 160)), ((320, 160), (160, 80))],
)
def test_clips_fit_in_a_panel(size: tuple[int, int], shown: tuple[int, int]) -> None:
    assert fitted(*size) == shown
    assert sized(np.zeros((2, *size, 3), np.uint8), shown).shape == (2, *shown, 3)


def test_small_clips_keep_their_pixels() -> None:
    np.testing.assert_array_equal(sized(CLIP, (160, 160)), CLIP.repeat(5, axis=1).repeat(5, axis=2))


def test_panels_stand_side_by_side_over_time() -> None:
    red, blue = (np.full((n, 20, 30, 3), colour, np.uint8) for n, colour in ((3, (255, 0, 0)), (1, (0, 0, 255))))
    picture = beside([Panel("one", red), Panel("two", blue, ((None, "still"), ((0, 0, 0), "dot")))])
    assert picture.shape[0] == 3 and picture.dtype == np.uint8
    for frame in picture:
        assert (frame == (255, 0, 0)).all(axis=-1).sum() == (frame == (0, 0, 255)).all(axis=-1).sum() == 20 * 30
    bars = (picture[:, -5] == picture[-1, -5, 12]).all(axis=-1).sum(axis=1)
    assert all(a < b for a, b in pairwise(bars)), "a bar shows the time"


def test_context_is_left_as_it_is_and_targets_are_blue() -> None:
    picture = draw_masks(CLIP, GRID, MASKS)
    top, left, gap = picture.shape[1] - 9 - 160, 10, 170
    shown = sized(CLIP, (160, 160))
    clip, first, second = (picture[:, top : top + 160, left + n * gap : left + n * gap + 160] for n in range(3))
    np.testing.assert_array_equal(clip, shown)
    for mask in (first, second):
        np.testing.assert_array_equal(mask[:, :79, :79], shown[:, :79, :79])
    for area in (first[:, 90:, :70], first[:, :70, 90:], second[:, 90:, 90:]):
        assert (np.abs(area.reshape(-1, 3).mean(axis=0) - TARGET) < 40).all(), "tinted"
    left_out = second[:, 90:, :70].reshape(-1, 3).mean(axis=0)
    assert np.ptp(left_out) < 2, "grey"


def test_masks_follow_their_time_steps() -> None:
    early = np.arange(GRID.num_tokens)[: 2 * GRID.frame_tokens]
    late = np.setdiff1d(ALL, early)
    picture = draw_masks(STILL, GRID, [(early, late)])[:, -169:-9, 180:340]
    is_shown = (picture == 200).all(axis=(1, 2, 3))
    assert is_shown.tolist() == [True] * 4 + [False] * 4


@pytest.mark.parametrize("motion", [None, np.zeros((4, 2, 2), np.float32), np.eye(2)[None].repeat(4, 0)])
def test_motion_has_a_panel_where_masks_follow_it(motion: np.ndarray | None) -> None:
    picture = draw_masks(CLIP, GRID, MASKS, motion)
    assert picture.shape[2] == 10 + 170 * (3 if motion is None else 4)
    if motion is not None and motion.any():
        heat = picture[:, -169:-9, -170:-10].astype(int).sum(axis=-1)
        assert heat[:, :80, :80].mean() > heat[:, :80, 80:].mean() + 100


@pytest.mark.parametrize("clip", [CLIP, STILL], ids=["moving", "still"])
def test_a_gif_has_every_frame(clip: np.ndarray) -> None:
    picture = draw_masks(clip, GRID, MASKS)
    data = encode_gif(picture, 0.2)
    frames = opened(data)
    assert len(frames) == 8 and frames[0].shape == picture.shape[1:]
    assert np.abs(np.stack(frames).astype(int) - picture).mean() < 12, "colours of one palette"
    image = Image.open(BytesIO(data))
    assert image.info["duration"] == 200 and image.info["loop"] == 0


def test_png_is_exact_and_its_summary_says_its_size() -> None:
    picture = CLIP[0]
    data = encode_png(picture)
    np.testing.assert_array_equal(opened(data)[0], picture)
    (value,) = image_summary("pictures/x", data, *picture.shape[:2]).value
    assert (value.tag, value.image.height, value.image.width) == ("pictures/x", 32, 32)
    assert value.image.encoded_image_string == data


@pytest.mark.parametrize("channels", [2, 6, 400], ids=["two", "fewer than tokens", "more than tokens"])
def test_colours_are_principal_components(channels: int) -> None:
    generator = np.random.default_rng(1)
    scale = np.zeros(channels)
    scale[: min(4, channels)] = (8.0, 4.0, 2.0, 1.0)[: min(4, channels)]
    features = (generator.standard_normal((2, 3, 5, 5, channels)) * scale).astype(np.float32)
    colours = principal_colours(features)
    assert colours.pixels.shape == (2, 3, 5, 5, 3) and colours.pixels.dtype == np.uint8
    rows = features.reshape(-1, channels).astype(float)
    rows -= rows.mean(axis=0)
    _, singular, axes = np.linalg.svd(rows, full_matrices=False)
    assert colours.explained == pytest.approx((singular[:3] ** 2).sum() / (singular**2).sum(), abs=1e-6)
    for number in range(min(3, channels)):
        correlation = np.corrcoef(colours.pixels.reshape(-1, 3)[:, number], rows @ axes[number])[0, 1]
        assert abs(correlation) > 0.98
    assert channels > 2 or (colours.pixels[..., 2] == 128).all(), "no third component"
    np.testing.assert_array_equal(principal_colours(features).pixels, colours.pixels)


@pytest.mark.parametrize("value", [1.0, float("nan"), float("inf")], ids=["collapsed", "nan", "inf"])
def test_features_that_tell_nothing_apart_are_grey(value: float) -> None:
    features = np.ones((1, 2, 2, 2, 5), np.float32)
    features[..., 0, 0] = value
    colours = principal_colours(features)
    assert (colours.pixels == 128).all() and np.isnan(colours.explained)
    draw_features(CLIP, [("features", colours.pixels[0], colours.explained)])


def test_features_stand_below_the_frames_of_their_time_steps() -> None:
    colours = np.zeros((4, 2, 2, 3), np.uint8)
    colours[..., 0] = (np.arange(4) * 60)[:, None, None]
    picture = draw_features(CLIP, [("features", colours, 0.5), ("z_app", colours, 0.25)])
    side, left = 96, 6 + 118
    assert picture.shape == (3 * (side + 6) + 6, left + 4 * (side + 6), 3)
    for step in range(4):
        columns = slice(left + step * (side + 6), left + step * (side + 6) + side)
        np.testing.assert_array_equal(picture[6 : 6 + side, columns], sized(CLIP[2 * step + 1][None], (side, side))[0])
        for row in (1, 2):
            area = picture[6 + row * (side + 6) :][:side, columns]
            assert (area == (60 * step, 0, 0)).all()
