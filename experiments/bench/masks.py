"""Masks of a micro-batch, unguided or guided or of the future, and the motion maps that guide them."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import Any, get_args

import torch
from torch import Tensor

from experiments.bench.timing import Measurement, interleaved, summarise
from experiments.side_by_side import threads
from vjepa.errors import UserError
from vjepa.grid import Grid
from vjepa.masking import FuturePrediction, MotionGuidance, MultiBlockMasker
from vjepa.motion import MotionPool, motion_map, normalize_motion

PATCH, TUBELET = 16, 2

MASKERS = {
    "unguided": MultiBlockMasker(),
    "guided": MultiBlockMasker(motion=MotionGuidance()),
    "guided, aggressive": MultiBlockMasker(motion=MotionGuidance(strength=5.0, random_rate=0.0)),
    "future": MultiBlockMasker(future=FuturePrediction()),
    "guided, future": MultiBlockMasker(motion=MotionGuidance(), future=FuturePrediction()),
    "guided, ratio-matched": MultiBlockMasker(motion=MotionGuidance(ratio_matched=True)),
}
"""The study's two masks with each choice of the masker slot."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Sizes and repeats."""
    parser.add_argument("--batch", type=int, default=8, help="clips of a micro-batch")
    parser.add_argument("--grid", type=int, nargs=3, default=(8, 14, 14), metavar=("T", "H", "W"), help="token grid")
    parser.add_argument("--repeats", type=int, default=50, help="timed rounds, a step's block sizes each")
    parser.add_argument("--warmup", type=int, default=5, help="rounds before those")
    parser.add_argument("--threads", type=int, default=1, help="of torch")


def run(options: argparse.Namespace) -> Iterator[Measurement]:
    """Time every masker on the same steps; guided ones are given their motion maps, which are timed apart."""
    if options.batch < 1 or min(options.grid) < 1 or options.threads < 1:
        raise UserError(f"--batch {options.batch}, --grid {options.grid}, --threads {options.threads}: expected >= 1")
    grid = Grid(*options.grid)
    pixels = moving_squares(options.batch, grid)
    motion = normalize_motion(motion_map(pixels, grid, "area"), "per_sample")

    def draw(masker: MultiBlockMasker) -> Callable[[int], Any]:
        return lambda step: masker(grid, options.batch, step=step, seed=0, motion=motion)

    def measure(pool: MotionPool) -> Callable[[int], Any]:
        return lambda _: normalize_motion(motion_map(pixels, grid, pool), "per_sample")

    maskers = {name: draw(masker) for name, masker in MASKERS.items()}
    maps = {f"motion map, {pool}": measure(pool) for pool in get_args(MotionPool)}
    settings = {"batch": options.batch, "grid": list(options.grid), "masks": 2, "device": "cpu"}
    for cases in (maskers, maps):  # apart: a map reads far more memory than a mask
        with threads(options.threads) as count:
            durations = interleaved(cases, options.repeats, options.warmup, torch.device("cpu"))
        references = dict.fromkeys(cases, next(iter(cases)))
        yield from summarise("masks", durations, references, {**settings, "threads": count})


def moving_squares(batch: int, grid: Grid) -> Tensor:
    """Clips (B, 3, F, H_px, W_px) of faint noise; a bright square of two tokens crosses each on a row of its own."""
    frames, height, width = TUBELET * grid.time, PATCH * grid.height, PATCH * grid.width
    clips = 0.05 * torch.randn(batch, 3, frames, height, width, generator=torch.Generator().manual_seed(0))
    for number in range(batch):
        top = (number * PATCH) % max(1, height - 2 * PATCH)
        for frame in range(frames):
            left = (frame * PATCH // 2) % width
            clips[number, :, frame, top : top + 2 * PATCH, left : left + 2 * PATCH] += 2.0
    return clips
