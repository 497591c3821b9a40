"""How the object of a KathaBench clip moves: eight classes, in pixels and frames; y points down."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SIZE = 224

MOTIONS = ("linear", "acceleration", "parabolic", "bounce", "orbit", "harmonic", "brownian", "two_body")
"""The classes in the order of the labels."""


@dataclass(frozen=True)
class Motion:
    """Where things are in every frame of one clip.

    Args:
        centre: (F, 2) x and y of the object's centre in pixels.
        partner: (2,) centre of the second body, which rests; None where there is none.
    """

    centre: Floats
    partner: Floats | None = None


def draw_motion(name: str, radius: float, num_frames: int, rng: np.random.Generator) -> Motion:
    """Draw the motion of one clip.

    Every class draws a start U(0.2, 0.8) * 224 and a velocity U(-10, 10) on each axis. Then
    ``linear`` keeps the velocity; ``acceleration`` adds U(-2, 2) on each axis a frame; ``parabolic`` starts upwards at
    U(5, 15) and falls with U(1, 3); ``bounce`` turns round outside [radius, 224 - radius] and is not put back inside;
    ``orbit`` circles the middle of the picture at U(30, 80) pixels and U(0.1, 0.5) radians a frame; ``harmonic`` swings
    sideways by U(20, 60) pixels at U(0.2, 0.8) radians a frame; ``brownian`` steps by U(-15, 15) on each axis;
    ``two_body`` is pulled towards a second object by 50 / d^2 at distance d.
    Every class but ``bounce`` is kept within the frame.

    Args:
        name: one of ``MOTIONS``.
        radius: half of the object's extent in pixels.
        num_frames: F, >= 1.
        rng: source of all draws.

    Returns:
        The motion.

    Source: the study's KathaBench generator, whose numbers these are.
    Differs: random streams are this project's own; so are the phase of an orbit (uniform), the second body's place
    (uniform, as the start) and rest, and a distance of at least 1 pixel in the force. The pull is faint: at 100 pixels
    it is 0.005 pixels a frame squared, so that ``two_body`` is told by its second object rather than by its path.
    """
    start = rng.uniform(0.2 * SIZE, 0.8 * SIZE, size=2)
    velocity = rng.uniform(-10.0, 10.0, size=2)
    time = np.arange(num_frames)
    if name == "orbit":
        distance, pace = rng.uniform(30.0, 80.0), rng.uniform(0.1, 0.5)
        angle = rng.uniform(0.0, 2.0 * np.pi) + pace * time
        return Motion(SIZE / 2 + distance * np.stack([np.cos(angle), np.sin(angle)], axis=1))
    if name == "harmonic":
        reach, pace = rng.uniform(20.0, 60.0), rng.uniform(0.2, 0.8)
        swing = start + np.outer(reach * np.sin(pace * time), [1.0, 0.0])
        return Motion(np.clip(swing, 0.0, SIZE))
    if name == "bounce":
        return Motion(_bounce(start, velocity, radius, num_frames))
    if name == "two_body":
        partner = rng.uniform(0.2 * SIZE, 0.8 * SIZE, size=2)
        return Motion(_attracted(start, velocity, partner, num_frames), partner)
    return Motion(_integrate(start, _velocities(name, velocity, num_frames - 1, rng)))


def _velocities(name: str, velocity: Floats, num_steps: int, rng: np.random.Generator) -> Floats:
    """The step of every frame, (F-1, 2), where it does not depend on the place."""
    if name == "linear":
        return np.tile(velocity, (num_steps, 1))
    if name == "brownian":
        return rng.uniform(-15.0, 15.0, size=(num_steps, 2))
    if name == "acceleration":
        change = rng.uniform(-2.0, 2.0, size=2)
    elif name == "parabolic":
        velocity = np.array([velocity[0], rng.uniform(-15.0, -5.0)])
        change = np.array([0.0, rng.uniform(1.0, 3.0)])
    else:
        raise ValueError(f"no motion is called {name!r}")
    return velocity + np.outer(np.arange(num_steps), change)


def _integrate(start: Floats, steps: Floats) -> Floats:
    centre = np.empty((len(steps) + 1, 2))
    centre[0] = start
    for number, step in enumerate(steps):
        centre[number + 1] = np.clip(centre[number] + step, 0.0, SIZE)
    return centre


def _bounce(start: Floats, velocity: Floats, radius: float, num_frames: int) -> Floats:
    centre = np.empty((num_frames, 2))
    centre[0] = start
    for number in range(1, num_frames):
        centre[number] = centre[number - 1] + velocity
        outside = (centre[number] < radius) | (centre[number] > SIZE - radius)
        velocity = np.where(outside, -velocity, velocity)
    return centre


def _attracted(start: Floats, velocity: Floats, partner: Floats, num_frames: int) -> Floats:
    centre = np.empty((num_frames, 2))
    centre[0] = start
    for number in range(1, num_frames):
        offset = partner - centre[number - 1]
        distance = max(1.0, float(np.hypot(*offset)))
        velocity = velocity + 50.0 / distance**2 * offset / distance
        centre[number] = np.clip(centre[number - 1] + velocity, 0.0, SIZE)
    return centre
