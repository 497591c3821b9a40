"""What KathaBench clips show: distractors, and the quirks of the study's generator on demand."""

from __future__ import annotations

import numpy as np
import pytest

from data_modules.kathabench import draw
from data_modules.kathabench.draw import Background, SolidColour, draw_clip, inside


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))


def clip(
    kind: Background, monkeypatch: pytest.MonkeyPatch, solid: SolidColour = "constant", seed: int = 0
) -> np.ndarray:
    monkeypatch.setattr(draw, "BACKGROUNDS", (kind,))
    return draw_clip("linear", rng(seed), 16, solid)


def of_object(frames: np.ndarray) -> np.ndarray:
    return (frames >= 128).all(axis=-1)


def test_a_solid_background_is_constant_or_flickers(monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(4):
        still, flicker = (clip("solid", monkeypatch, solid, seed) for solid in ("constant", "flicker"))
        assert np.array_equal(of_object(still), of_object(flicker)), "the switch changes the background alone"
        assert np.ptp(still[~of_object(still)], axis=0).tolist() == [0, 0, 0]
        colours = [frame[~of_object(frame)] for frame in flicker]
        assert all(np.ptp(colour, axis=0).tolist() == [0, 0, 0] for colour in colours)
        assert len({tuple(colour[0]) for colour in colours}) > 12


def test_a_gradient_moves_and_noise_is_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    gradient, noise = clip("gradient", monkeypatch), clip("noise", monkeypatch)
    for frames in (gradient, noise):
        background = ~of_object(frames).any(axis=0)
        changed = (frames[1:] != frames[:-1])[:, background].any(axis=-1).mean()
        assert changed > 0.3
    rows = np.flatnonzero(~of_object(gradient).any(axis=(0, 2)))
    assert (gradient[:, rows] == gradient[:, rows[:1]]).all(), "a gradient varies from left to right alone"
    assert noise[~of_object(noise)].std() > 30


@pytest.mark.parametrize(("shape", "area"), [("circle", np.pi), ("square", 4.0), ("triangle", 2.0)])
def test_shapes_have_their_areas(shape: str, area: float) -> None:
    radius = np.array([10.0, 20.0, 30.0])
    mask = inside(shape, np.full((3, 2), 112.0), radius)
    assert mask.shape == (3, 224, 224)
    np.testing.assert_allclose(mask.sum(axis=(1, 2)), area * radius**2, rtol=0.12)
    rows, columns = np.nonzero(mask[1])
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (92, 132, 92, 132)


def test_an_unknown_shape_is_an_error() -> None:
    with pytest.raises(ValueError, match="no shape is called 'star'"):
        inside("star", np.zeros((1, 2)), np.ones(1))


def test_the_object_breathes_and_its_colour_drifts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draw, "SHAPES", ("circle",))
    monkeypatch.setattr(draw, "BACKGROUNDS", ("solid",))
    sizes = []
    for seed in range(40):
        frames = draw_clip("orbit", rng(seed), 16, "constant")  # orbits never leave the frame
        mask = of_object(frames)
        radius = np.sqrt(mask.sum(axis=(1, 2)) / np.pi)
        expected = 1.0 + 0.5 * np.sin(0.5 * np.arange(16))
        np.testing.assert_allclose(radius / radius[0], expected, rtol=0.12)
        colours = np.stack([frame[inner][0] for frame, inner in zip(frames, mask, strict=True)]).astype(int)
        assert len(np.unique(colours, axis=0)) > 4 and np.abs(np.diff(colours, axis=0)).max() <= 6
        sizes.append(radius[0])
    assert 9.5 < min(sizes) < 14 and 26 < max(sizes) < 30.5


def test_shapes_and_backgrounds_are_equally_likely(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(draw, "inside", lambda shape, *_: seen.append(shape) or np.zeros((1, 224, 224), dtype=bool))
    monkeypatch.setattr(draw, "_background", lambda kind, *_: seen.append(kind) or np.zeros((1, 224, 224, 3), np.uint8))
    for seed in range(600):
        draw_clip("linear", rng(seed), 1, "constant")
    counts = [seen.count(name) for name in (*draw.SHAPES, *draw.BACKGROUNDS)]
    assert sum(counts) == 1200 and min(counts) > 150


def test_two_bodies_show_two_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draw, "BACKGROUNDS", ("solid",))
    one, two = (of_object(draw_clip(name, rng(3), 16, "constant")) for name in ("linear", "two_body"))
    assert two.sum() > 1.2 * one.sum()
    assert two.all(axis=0).sum() > 300, "the second body rests"
