"""Draws one moving-glyphs clip: a pure function of the parameters, the split and the index."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from data_modules.glyphs.paths import Path, draw_path
from data_modules.glyphs.spec import MOTIONS, ORDERS, REVERSE_OF, SPLITS, GlyphSpec, Split, clip_labels

# Shares of each digit's images: enough variety to train on, and no image in two splits.
_TRAIN_SHARE, _VAL_SHARE = 0.6, 0.15
_ZOOM = 8  # a digit is drawn from a smooth 8-times enlargement, so it moves by fractions of a pixel


@lru_cache(maxsize=1)
def digit_images() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return scikit-learn's handwritten digits: (1797, 8, 8) ink in [0, 1] and (1797,) classes."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    return (digits.images / 16.0).astype(np.float32), digits.target.astype(np.int64)


@lru_cache(maxsize=32)
def split_images(split: Split, digit: int) -> tuple[int, ...]:
    """Return which images of a digit belong to a split; the three splits share none."""
    members = np.flatnonzero(digit_images()[1] == digit)
    members = np.random.Generator(np.random.Philox(digit)).permutation(members)
    first = int(_TRAIN_SHARE * len(members))
    second = first + int(_VAL_SHARE * len(members))
    start, stop = {"train": (0, first), "val": (first, second), "test": (second, len(members))}[split]
    return tuple(int(member) for member in members[start:stop])


def draw_clip(spec: GlyphSpec, split: Split, index: int) -> NDArray[np.uint8]:
    """Draw a clip of a split.

    Args:
        spec: the benchmark's parameters.
        split: train, val or test.
        index: position in the split, >= 0.

    Returns:
        (F, size, size, 3) uint8, RGB.
    """
    appearance, motion, order = clip_labels(index)
    name = MOTIONS[motion] if order < 0 else ORDERS[order]
    entropy = np.random.SeedSequence([spec.seed, SPLITS.index(split), index])
    rng = np.random.Generator(np.random.Philox(entropy))
    image = digit_images()[0][rng.choice(split_images(split, appearance))]
    return render_clip(spec, image, name, rng)


def render_clip(spec: GlyphSpec, image: NDArray[np.float32], name: str, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Render a glyph under a motion or order class.

    Args:
        spec: the benchmark's parameters.
        image: (8, 8) ink of the digit in [0, 1].
        name: class; one in ``REVERSE_OF`` is its partner's clip played backwards.
        rng: source of all nuisances.

    Returns:
        (F, size, size, 3) uint8, RGB.
    """
    colour = rng.uniform(0.0, 1.0, size=3)
    colour = 0.6 + 0.4 * colour / colour.max()  # always brighter than the background
    background = _background(spec, rng)
    height = rng.uniform(spec.scale_min, spec.scale_max)
    path = draw_path(REVERSE_OF.get(name, name), spec.num_frames, rng)
    ink = _ink(spec, image, height, path)[..., None]  # (F, S, S, 1)
    frames = background * (1.0 - ink) + colour * ink
    frames += rng.normal(0.0, spec.noise, size=frames.shape)
    pixels = np.clip(np.rint(255.0 * frames), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(pixels[::-1]) if name in REVERSE_OF else pixels


def _background(spec: GlyphSpec, rng: np.random.Generator) -> NDArray[np.float32]:
    """A static smooth texture (S, S, 3) between about 0 and 0.55."""
    coarse = rng.uniform(-1.0, 1.0, size=(5, 5, 3)).astype(np.float32)
    texture = cv2.resize(coarse, (spec.size, spec.size), interpolation=cv2.INTER_CUBIC)
    background: NDArray[np.float32] = np.clip(0.28 + spec.background * texture, 0.0, 0.55)
    return background


def _ink(spec: GlyphSpec, image: NDArray[np.float32], height: float, path: Path) -> NDArray[np.float32]:
    """How much of the glyph covers each pixel, (F, S, S) in [0, 1]."""
    padded = np.pad(image, 1)
    edge = _ZOOM * padded.shape[0]
    large = cv2.resize(padded, (edge, edge), interpolation=cv2.INTER_CUBIC)
    large = np.clip(1.5 * large - 0.25, 0.0, 1.0)
    frames = np.empty((spec.num_frames, spec.size, spec.size), dtype=np.float32)
    for number in range(spec.num_frames):
        # Maps each output pixel to its place in the enlarged digit.
        step = _ZOOM * image.shape[0] / (height * path.scale[number] * spec.size)
        x, y = path.centre[number] * spec.size - 0.5
        middle = (edge - 1) / 2.0
        inverse = np.array([[step, 0.0, middle - step * x], [0.0, step, middle - step * y]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        cv2.warpAffine(large, inverse, (spec.size, spec.size), dst=frames[number], flags=flags)
        frames[number] *= path.opacity[number]
    return frames
