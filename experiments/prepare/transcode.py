"""``vjepa prepare transcode``: write a folder of videos again to be read faster, and measure what that brings."""

from __future__ import annotations

import argparse
import csv
import io
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from data_modules.clips.sampling import FrameSampling
from data_modules.decode.frames import decode_frames
from data_modules.encode.transcode import Transcoding
from data_modules.encode.transcode_folder import Outcome, transcode_folder
from experiments.bench.clip_readers import ClipJob, vjepa
from experiments.bench.timing import interleaved
from experiments.side_by_side import threads
from vjepa.errors import UserError
from vjepa.storage import atomic_write_text

BROKEN = "broken.csv"

_ROUNDS, _CLIPS = 5, FrameSampling(16, frame_step=2)
_NAMED = 5
_WORTH_IT = 1.2


def main(options: Sequence[str]) -> int:
    """Write every video of a folder again as short-GOP H.264 under the same name in another folder.

    All other files are copied, so that DATA_ROOT can point there. The originals are only read. A run that was stopped
    continues. The names keep their suffixes: readers go by the content.
    """
    parser = argparse.ArgumentParser("vjepa prepare transcode", description=main.__doc__)
    parser.add_argument("source", type=Path, help="folder of videos, searched in depth")
    parser.add_argument("target", type=Path, help="folder to write, apart from the other")
    parser.add_argument(
        "--short-side", type=int, default=256, help="pixels; smaller videos keep their size (%(default)s)"
    )
    parser.add_argument("--gop", type=int, default=8, help="frames from key frame to key frame (%(default)s)")
    parser.add_argument("--crf", type=int, default=18, help="x264's quality, less is better (%(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (%(default)s)")
    parser.add_argument("--only", type=int, metavar="N", help="write just N videos, to see what it brings")
    parser.add_argument(
        "--sample", type=int, default=4, help="videos to measure afterwards; 0 measures none (%(default)s)"
    )
    known = parser.parse_args(list(options))
    if known.sample < 0:
        raise UserError(f"--sample {known.sample}: expected 0 or more")
    how = Transcoding(known.short_side, known.gop, known.crf)
    with tqdm(desc="videos", unit="video", delay=0.1) as bar:  # a mistake in the options comes before any bar

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        outcome = transcode_folder(known.source, known.target, how, known.jobs, known.only, show)
    _report(outcome, known.target)
    names = sorted(outcome.written + outcome.kept)
    if names and known.sample:
        chosen = [names[number] for number in np.unique(np.linspace(0, len(names) - 1, known.sample).astype(int))]
        print(measure([(known.source / name, known.target / name) for name in chosen], how))
    return 0


def _report(outcome: Outcome, target: Path) -> None:
    print(
        f"{target}: {len(outcome.written)} videos written, {len(outcome.kept)} were there, "
        f"{outcome.copied} other files copied, {len(outcome.broken)} videos cannot be read"
    )
    if not outcome.broken:
        (target / BROKEN).unlink(missing_ok=True)
        return
    for name, reason in list(outcome.broken.items())[:_NAMED]:
        print(f"  {name}: {reason}")
    rows = io.StringIO()
    csv.writer(rows).writerows([("file", "reason"), *outcome.broken.items()])
    atomic_write_text(target / BROKEN, rows.getvalue())
    print(f"  all of them are listed in {target / BROKEN}")
    if not outcome.written and not outcome.kept:
        raise UserError(f"{target}: no video of the source can be read; see {BROKEN} there")


def measure(pairs: Sequence[tuple[Path, Path]], how: Transcoding) -> str:
    """Compare pairs of an original and its copy.

    Args:
        pairs: one or more.
        how: the copies were written.

    Returns:
        In words: how much faster a random clip is read, bytes, and the loss of the encoder in dB.
    """

    def read(side: int, number: int) -> None:
        for place, pair in enumerate(pairs):
            vjepa(ClipJob(pair[side], number * len(pairs) + place, _CLIPS, 224))

    cases = {"original": partial(read, 0), "copy": partial(read, 1)}
    with threads(1):
        rounds = interleaved(cases, repeats=_ROUNDS, warmup=1, device=torch.device("cpu"))
    original, copy = (1e3 * np.array(rounds[name])[:, 1] / len(pairs) for name in cases)
    bytes_ratio = sum(pair[1].stat().st_size for pair in pairs) / sum(pair[0].stat().st_size for pair in pairs)
    noise = [peak_signal_to_noise(*pair, how) for pair in pairs]
    faster = float(np.median(original / copy))
    return (
        f"measured on {len(pairs)} of them: a random clip is read {faster:.2f}x as fast "
        f"({np.median(original):.1f} -> {np.median(copy):.1f} ms of processor time, {_ROUNDS} rounds in turn), "
        f"{bytes_ratio:.2f}x the bytes, PSNR {np.mean(noise):.1f} dB (worst {min(noise):.1f}) against resized originals"
        + ("" if faster >= _WORTH_IT else "; these originals are read about as fast, stay with them")
    )


def peak_signal_to_noise(source: Path, target: Path, how: Transcoding) -> float:
    """PSNR in dB of a copy's frames against the original's, resized in the same way."""
    squares, count = 0.0, 0
    for before, after in zip(decode_frames(source), decode_frames(target), strict=True):
        difference = how.resized(before).astype(np.float32) - after
        squares, count = squares + float(np.square(difference).sum()), count + difference.size
    return float(10 * np.log10(255**2 * count / max(squares, 1e-9)))
