"""What a benchmark of the evaluation measures: a run and its data, or a fresh encoder on the embedded benchmark."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch

from data_modules import GlyphsDataModule
from vjepa.errors import UserError
from vjepa.module import VideoJEPA


def add_subject_options(parser: argparse.ArgumentParser) -> None:
    """Which encoder, on which clips, on what."""
    parser.add_argument("--run", type=Path, help="a finished run with its data; default: the embedded benchmark")
    parser.add_argument("--preset", default="tiny", help="of the encoder, where there is no run")
    parser.add_argument("--frames", type=int, default=8, help="of a clip, where there is no run")
    parser.add_argument("--size", type=int, default=32, help="side in pixels, where there is no run")
    parser.add_argument("--patch", type=int, default=8, help="side of a patch in pixels, where there is no run")
    parser.add_argument("--threads", type=int, help="of torch; default: as it chooses")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="default: cuda where there is one")


def require_positive(options: argparse.Namespace, *names: str) -> None:
    """Refuse numbers below 1.

    Raises:
        UserError: one of the options is below 1.
    """
    for name in names:
        if getattr(options, name) < 1:
            raise UserError(f"--{name} {getattr(options, name)}: expected at least 1")


def chosen_device(options: argparse.Namespace) -> torch.device:
    """The device of ``--device``.

    Raises:
        UserError: CUDA was asked for and is not there.
    """
    if options.device == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda: there is no CUDA here; leave it out to measure on the CPU")
    return torch.device(options.device or ("cuda" if torch.cuda.is_available() else "cpu"))


def subject(options: argparse.Namespace) -> tuple[VideoJEPA, Any, str]:
    """The model, its data set up for testing, and what they are called.

    Raises:
        UserError: the run cannot be opened.
    """
    return _of_run(options.run) if options.run else _embedded(options)


def _embedded(options: argparse.Namespace) -> tuple[VideoJEPA, GlyphsDataModule, str]:
    data = GlyphsDataModule(
        size=options.size, num_frames=options.frames, train_clips=2, val_clips=2, test_clips=max(2, options.clips)
    )
    data.prepare_data()
    data.setup("test")
    model = VideoJEPA(preset=options.preset, patch_size=options.patch).eval()
    return model, data, f"{options.preset} on {data.name}, {options.frames} frames of {options.size} pixels"


def _of_run(folder: Path) -> tuple[VideoJEPA, Any, str]:
    from experiments.load import load_data, load_model
    from experiments.runs import open_run

    opened = open_run(folder)
    return load_model(opened), load_data(opened), str(folder)
