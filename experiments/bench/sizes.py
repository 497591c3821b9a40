"""Sizes of the training steps that are timed: options, defaults by device, and random clips."""

from __future__ import annotations

import argparse
from typing import Any

import torch
from torch import Tensor

from vjepa.errors import UserError

DEFAULTS: dict[str, dict[str, Any]] = {
    "cuda": {"preset": "base", "batch": 8, "size": 224, "precision": "bf16", "repeats": 30},
    "cpu": {"preset": "small", "batch": 2, "size": 112, "precision": "float32", "repeats": 5},
}
"""What is measured where nothing is said; a step at 224 pixels takes tens of seconds on a core."""


def add_sizes(parser: argparse.ArgumentParser) -> None:
    """Options of ``settle``."""
    parser.add_argument("--device", choices=("cpu", "cuda"), help="default: cuda where there is one")
    parser.add_argument("--preset", help="default: base on cuda, small on the cpu")
    parser.add_argument("--batch", type=int, help="clips of a micro-batch; default: 8 on cuda, 2 on the cpu")
    parser.add_argument("--precision", choices=("bf16", "float32"), help="default: bf16 on cuda, float32 on the cpu")
    parser.add_argument("--frames", type=int, default=16, help="frames of a clip")
    parser.add_argument("--size", type=int, help="side in pixels; default: 224 on cuda, 112 on the cpu")
    parser.add_argument("--patch", type=int, default=16, help="side of a patch in pixels")
    parser.add_argument("--repeats", type=int, help="timed rounds of all cases; default: 30 on cuda, 5 on the cpu")
    parser.add_argument("--warmup", type=int, default=1, help="rounds before those")
    parser.add_argument("--threads", type=int, help="of torch; default: as it chooses")


def settle(options: argparse.Namespace) -> argparse.Namespace:
    """Fill in what depends on the device, and say it.

    Raises:
        UserError: a device that is not there, or a size out of range.
    """
    has_cuda = torch.cuda.is_available()
    if options.device == "cuda" and not has_cuda:
        raise UserError("--device cuda: there is no CUDA here; leave it out to measure on the CPU")
    device = options.device or ("cuda" if has_cuda else "cpu")
    chosen = argparse.Namespace(**{**vars(options), "device": device})
    for name, value in DEFAULTS[device].items():
        if getattr(options, name) is None:
            setattr(chosen, name, value)
    check_sizes(chosen)
    note = "" if has_cuda else " (no CUDA here)"
    clips = f"batch {chosen.batch}, {chosen.frames} frames of {chosen.size} pixels"
    print(f"{device}{note}: preset {chosen.preset}, {clips}, {chosen.precision}, {chosen.repeats} repeats", flush=True)
    return chosen


def check_sizes(options: argparse.Namespace) -> None:
    """Refuse sizes that no clip has.

    Raises:
        UserError: a size out of range.
    """
    for name in ("batch", "frames", "size", "patch", "threads"):
        value = getattr(options, name, None)
        if value is not None and value < 1:
            raise UserError(f"--{name} {value}: expected at least 1")


def told(options: argparse.Namespace) -> dict[str, Any]:
    """The sizes, for a measurement."""
    return {key: getattr(options, key) for key in ("preset", "batch", "frames", "size", "patch", "precision", "device")}


def random_frames(options: argparse.Namespace) -> Tensor:
    """Clips (B, F, H_px, W_px, 3) uint8 on the device, equal at every call."""
    generator = torch.Generator().manual_seed(0)
    shape = (options.batch, options.frames, options.size, options.size, 3)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8).to(options.device)
