"""Attention, similarity, neighbours, rank and sheets: closed forms, and pixels where they belong."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from matplotlib import colormaps
from PIL import Image

from experiments.pictures import Panel, encode_png, mask_panels, motion_panels, over_time, principal_colours
from experiments.pictures.attention import Answer, attention_panels
from experiments.pictures.neighbours import KEPT, OTHER, Asked, Neighbour, draw_neighbours
from experiments.pictures.panels import PAPER, text_width, wrapped
from experiments.pictures.sheets import Sheet, stacked
from experiments.pictures.similarity import Halves, Scale, cosine_matrix, draw_similarity
from experiments.pictures.strips import MOST_STEPS
from experiments.pictures.trajectory import TARGET_RANK, TARGET_VARIANCE, draw_trajectory
from experiments.report.scalars import Scalars
from experiments.report.style import COLOURS
from vjepa.grid import Grid

CLIP = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)


def count(picture: np.ndarray, colour: tuple[int, ...]) -> int:
    return int((picture == np.array(colour)).all(axis=-1).sum())


def rgb(text: str) -> tuple[int, ...]:
    return tuple(int(text[start : start + 2], 16) for start in (1, 3, 5))


def test_one_basis_over_all_frames_gives_equal_features_equal_colours() -> None:
    features = np.random.default_rng(2).standard_normal((1, 4, 3, 3, 12)).astype(np.float32)
    features[0, 3] = features[0, 0]
    features[0, 2, 1, 1] = features[0, 1, 2, 2]
    pixels = principal_colours(features).pixels[0]
    np.testing.assert_array_equal(pixels[3], pixels[0])
    np.testing.assert_array_equal(pixels[2, 1, 1], pixels[1, 2, 2])
    # By itself a frame would have other colours.
    assert (principal_colours(features[:, :1]).pixels[0, 0] != pixels[0]).any()


def test_similarity_is_the_cosine_and_zero_where_there_is_no_direction() -> None:
    features = np.random.default_rng(3).standard_normal((5, 7))
    features[3] = 0
    expected = np.zeros((5, 5))
    for s in range(5):
        for t in range(5):
            norms = np.linalg.norm(features[s]) * np.linalg.norm(features[t])
            expected[s, t] = features[s] @ features[t] / norms if norms else 0
    np.testing.assert_allclose(cosine_matrix(features), expected, atol=1e-12)
    features[1, 0] = np.nan
    assert np.isfinite(cosine_matrix(features)).all()


@pytest.mark.parametrize(
    ("lowest", "low", "decimals"),
    [(0.83, 0.8, 2), (0.5, 0.5, 2), (-0.2, -1.0, 2), (0.97, 0.97, 3), (0.9945, 0.994, 4), (1.0, 0.999, 4)],
)
def test_colours_span_a_round_range(lowest: float, low: float, decimals: int) -> None:
    assert Scale.of(lowest) == Scale(pytest.approx(low), decimals)


def test_similar_steps_are_bright_and_all_rows_have_one_scale() -> None:
    constant, orthogonal = np.ones((4, 6)), np.eye(4, 6)
    picture = draw_similarity([Halves("one", constant, orthogonal, False)], 8)
    bright, dark = (tuple(int(255 * x) for x in colormaps["cividis"](value)[:3]) for value in (1.0, 0.0))
    near = (np.abs(picture.astype(int) - bright).max(axis=-1) <= 2).sum()
    far = (np.abs(picture.astype(int) - dark).max(axis=-1) <= 2).sum()
    # 16 bright cells of z_app and 4 of z_dyn against 12 dark ones; text and the bar take a little.
    assert near / far == pytest.approx(20 / 12, rel=0.1)
    both = draw_similarity([Halves("a", constant, constant, True), Halves("b", constant, orthogonal, False)], 8, ["c"])
    assert both.shape[1] == picture.shape[1] and both.shape[0] > 1.5 * picture.shape[0]


def test_attention_is_bright_where_the_probe_looks() -> None:
    looks = np.full((4, 2, 2), 0.01)
    looks[2, 1, 0] = 0.85
    clip, panel = attention_panels(np.full_like(CLIP, 60), [Answer("motion", "circle cw", 0.4, 0.5, looks)])
    assert clip.title == "clip" and [text for _, text in panel.notes] == [
        "says circle cw, 40%",
        "val top-1 50%",
        f"peak {0.85 / looks.mean():.1f}x uniform",
    ]
    heat = panel.frames.astype(int).sum(axis=-1)
    corner = heat[4:6, 80:, :80]
    assert corner.min() > 2 * heat[:4].max() and (heat[4:6, :80] < corner.min()).all()


def test_motion_says_how_uneven_it_is() -> None:
    still = motion_panels(CLIP, np.zeros((4, 2, 2)))[1]
    assert still.notes == ((None, "nothing moves"),)
    motion = np.zeros((4, 4, 4))
    motion[0, 0, 0] = 1
    assert motion_panels(CLIP, motion)[1].notes == ((None, "top tenth: 100% of motion"),)


def test_neighbours_that_stay_are_blue_and_others_yellow() -> None:
    def near(*places: int) -> tuple[Neighbour, ...]:
        return tuple(Neighbour(place, CLIP, f"class {place}", 0.5) for place in places)

    picture = draw_neighbours([Asked("clean", CLIP, near(4, 7, 9)), Asked("noise 3", CLIP, near(7, 2, 4))])
    assert picture.shape[0] == 8
    height = picture.shape[1] // 2
    clean, noisy = picture[0, :height], picture[0, height:]
    swatch = count(clean, KEPT) // 3
    assert swatch > 30 and count(clean, OTHER) == 0
    assert (count(noisy, KEPT), count(noisy, OTHER)) == (2 * swatch, swatch)


def test_trajectories_draw_what_was_logged() -> None:
    fall = Scalars(tuple(range(0, 100, 10)), tuple(np.linspace(40, 1, 10)))
    runs = [("one", {TARGET_RANK: fall}), ("two", {TARGET_RANK: fall, TARGET_VARIANCE: fall})]
    picture = draw_trajectory(runs, 96)
    thirds = np.array_split(picture[: picture.shape[0] * 3 // 4], 3, axis=1)
    one, two = (rgb(colour) for colour in COLOURS[:2])
    assert count(thirds[2], one) == 0 and count(thirds[2], two) > 100, "only the second logged its variance"
    assert count(thirds[1], one) == count(thirds[1], two) == 0, "neither logged the context"


def test_long_clips_show_evenly_spread_time_steps() -> None:
    frames = np.zeros((64, 16, 16, 3), np.uint8)
    frames[..., 0] = (np.arange(64) * 3)[:, None, None]
    picture = over_time([Panel("clip", frames)], 64)
    reds = [int(value) for value in np.unique(picture[10, :, 0][(picture[10, :, 1] == 0)])]
    assert len(reds) == MOST_STEPS and reds[0] == 0 and reds[-1] == 189


def test_strips_of_masks_show_the_middle_of_each_time_step() -> None:
    grid = Grid(4, 2, 2)
    every = np.arange(grid.num_tokens)
    panels = mask_panels(CLIP, grid, [(every[:8], every[8:])], 112)
    picture = over_time(panels, 4)
    left = picture.shape[1] - 4 * 102
    for step in range(4):
        shown = picture[6 : 6 + 96, left + step * 102 :][:, :96]
        np.testing.assert_array_equal(shown, panels[0].frames[2 * step + 1])


@pytest.mark.parametrize(("text", "lines"), [("a b", 1), ("one two three four five six seven", 2), ("x" * 60, 1)])
def test_text_is_wrapped_and_cut_to_its_room(text: str, lines: int) -> None:
    found = wrapped(text, 80, 2)
    assert len(found) == lines and all(text_width(line) <= 80 for line in found)
    assert (" ".join(found) == text) is (text == "a b")


def test_sheets_carry_a_legend_and_stand_below_one_another() -> None:
    small, large = Sheet(CLIP[0], CLIP), Sheet(np.zeros((50, 600, 3), np.uint8))
    legend = small.under(["run, weights, step"])
    assert legend.moving is not None and len(legend.moving) == 8
    assert legend.still.shape[1] >= 480 and legend.still.shape[0] == 32 + 4 + 16
    np.testing.assert_array_equal(legend.moving[:, :32, :32], CLIP)
    assert count(legend.still[36:], PAPER) < 16 * 480, "there is text"
    both = stacked([small, large])
    assert both.still.shape == (32 + 10 + 50, 600, 3) and both.moving is not None and both.moving.shape[1] == 32
    assert set(both.files("x")) == {"x.png", "x.gif"} and set(large.files("y")) == {"y.png"}


def test_small_files_keep_the_colours_that_mean_something() -> None:
    picture = np.random.default_rng(5).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    picture[:9, :9], picture[:9, 20:29], picture[100:] = KEPT, OTHER, PAPER
    picture[100:, 50:60] = 253
    data = encode_png(picture, 32)
    assert len(data) < 0.5 * len(encode_png(picture))
    kept = np.asarray(Image.open(BytesIO(data)).convert("RGB"))
    assert (kept[:9, :9] == KEPT).all() and (kept[:9, 20:29] == OTHER).all() and (kept[100:] == PAPER).all()
    assert len(np.unique(kept.reshape(-1, 3), axis=0)) <= 32
