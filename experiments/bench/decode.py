"""Reading one random clip: processor time of this project's reader and of others, on the same jobs in turn."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NoReturn

import cv2
import numpy as np
import torch
from tqdm import tqdm

from data_modules.clips.sampling import FrameSampling
from data_modules.generated.cache import cache_root
from experiments.bench.clip_readers import ClipJob, Read, checked, decode_only, decord_readers, pyav_float, vjepa
from experiments.bench.footage import KINDS, make_footage
from experiments.bench.timing import Measurement, interleaved, summarise
from experiments.side_by_side import threads
from vjepa.errors import UserError, unknown_name

OURS, FLOOR = "vjepa", "decode only"
SUFFIXES = {".avi", ".mp4", ".webm", ".mkv", ".mov", ".mpg", ".m4v"}
GOALS = {"ucf": (2.7, 2.0), "ssv2": (1.6, 1.2), "diving": (2.1, 1.4)}
"""How many times faster than decord with its float crop, and with the uint8 crop, the reader should be at least."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Files and rounds."""
    parser.add_argument("--folder", type=Path, help="real videos to read, searched in depth, in place of drawn ones")
    parser.add_argument("--kinds", default=",".join(KINDS), help="which drawn ones")
    parser.add_argument("--files", type=int, default=6, help="of a kind, or of the folder")
    parser.add_argument("--root", help="cache folder of drawn ones; default VJEPA_CACHE or the user's cache folder")
    parser.add_argument("--rounds", type=int, default=8, help="timed, a clip of every file each")
    parser.add_argument("--warmup", type=int, default=1, help="rounds before those")
    parser.add_argument("--frames", type=int, default=16, help="of a clip")
    parser.add_argument("--step", type=int, default=2, help="from frame to frame")
    parser.add_argument("--size", type=int, default=224, help="height and width of a clip in pixels")


def run(options: argparse.Namespace) -> Iterator[Measurement]:
    """Time every reader on the same clips; durations are per clip, ratios of processor time."""
    if options.files < 1 or options.size < 1:
        raise UserError(f"--files {options.files}, --size {options.size}: expected 1 or more")
    sampling = FrameSampling(options.frames, frame_step=options.step)
    readers: dict[str, Read] = {OURS: vjepa, **decord_readers(), FLOOR: decode_only}
    if len(readers) == 2:
        print("decord is not installed (pip install 'vjepa-ablation[bench]'): compared with plain PyAV instead")
        readers["PyAV, float crop"] = pyav_float
    for kind, paths in _files(options).items():
        for path in paths:
            for name, read in readers.items():
                checked(read, ClipJob(path, 0, sampling, options.size), name)
        num_passes = len(readers) * (options.rounds + options.warmup)
        with threads(1) as count, _one_opencv_thread(), tqdm(total=num_passes, desc=kind, leave=False) as bar:
            cases = {name: partial(_round, read, paths, sampling, options.size, bar) for name, read in readers.items()}
            rounds = interleaved(cases, options.rounds, options.warmup, torch.device("cpu"))
        clips = {f"{kind}: {name}": [(c / len(paths), p / len(paths)) for c, p in rounds[name]] for name in rounds}
        settings = {
            "files": len(paths),
            "clip": [options.frames, options.step, options.size],
            "threads": count,
            "ratio_of": "processor time",
        }
        yield from summarise("decode", clips, dict.fromkeys(clips, f"{kind}: {OURS}"), settings, "processor")


def table(measured: Sequence[Measurement]) -> str:
    """Milliseconds of processor time per clip, and how many times faster the first reader is than the others."""
    rows = [("files", "reader", "ms/clip", "speed-up of " + OURS)]
    for one in measured:
        kind, _, reader = one.case.partition(": ")
        shown = "" if reader == OURS else f"{one.ratio:.2f}x" + _against_goal(kind, reader, one.ratio)
        rows.append((kind, reader, f"{one.processor_ms:.2f}", shown))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        f"{kind.ljust(widths[0])}  {reader.ljust(widths[1])}  {ms.rjust(widths[2])}  {shown}".rstrip()
        for kind, reader, ms, shown in rows
    ]
    rounds = f"medians of {measured[0].repeats} rounds in turn, one thread"
    return "\n".join(["", *lines, "", f"{rounds}; '{FLOOR}' opens, indexes and decodes the same frames"])


def _files(options: argparse.Namespace) -> dict[str, list[Path]]:
    if options.folder is None:
        kinds = options.kinds.split(",")
        for kind in kinds:
            if kind not in KINDS:
                raise unknown_name("--kinds", kind, KINDS)
        return {kind: make_footage(kind, cache_root(options.root), options.files) for kind in kinds}
    found = sorted(path for path in options.folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not found:
        raise UserError(f"--folder {options.folder}: no video found (looked for {', '.join(sorted(SUFFIXES))})")
    chosen = np.linspace(0, len(found) - 1, min(options.files, len(found))).astype(int)
    return {"folder": [found[number] for number in chosen]}


def _round(
    read: Read, paths: Sequence[Path], sampling: FrameSampling, size: int, bar: tqdm[NoReturn], number: int
) -> None:
    for place, path in enumerate(paths):
        read(ClipJob(path, number * len(paths) + place, sampling, size))
    bar.update()


def _against_goal(kind: str, reader: str, faster: float) -> str:
    goals = dict(zip(("decord, float crop", "decord, uint8 crop"), GOALS.get(kind, ())))
    if reader not in goals:
        return ""
    return f" (at least {goals[reader]} wanted{'' if faster >= goals[reader] else ', missed'})"


@contextmanager
def _one_opencv_thread() -> Iterator[None]:
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
