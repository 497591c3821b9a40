"""Writes and checks a benchmark that is generated."""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import numpy as np

from data_modules import GlyphsDataModule, KathaBenchDataModule, SynthDataModule
from data_modules.base import ClipDataModule
from data_modules.generated.datamodule import GeneratedDataModule
from vjepa.errors import UserError
from vjepa.reading import Reading
from vjepa.storage import atomic_write_bytes

BENCHMARKS: dict[str, tuple[Callable[..., GeneratedDataModule], str]] = {
    "glyphs": (GlyphsDataModule, "train_clips"),
    "synth": (SynthDataModule, "pretrain_clips"),
    "kathabench": (KathaBenchDataModule, "clips"),
}
"""Data module of every benchmark, and what its --clips counts."""

VERBS = {"check": "experiments.prepare.check", "transcode": "experiments.prepare.transcode"}
"""What can be done beside writing: modules with a ``main`` of their own."""

_EPILOG = "vjepa prepare check NAME looks whether a data set is whole, downloaded ones too"


def main(options: Sequence[str]) -> int:
    """``vjepa prepare``: write what is missing of a benchmark, verify every checksum, open every split."""
    if options and options[0] in VERBS:
        return int(import_module(VERBS[options[0]]).main(options[1:]))
    parser = argparse.ArgumentParser("vjepa prepare", description=main.__doc__, epilog=_EPILOG)
    parser.add_argument("benchmark", choices=list(BENCHMARKS))
    parser.add_argument("--root", help="cache folder; default VJEPA_CACHE or the user's cache folder")
    counted = ", ".join(f"{name}: {option}" for name, (_, option) in BENCHMARKS.items())
    parser.add_argument("--clips", type=int, metavar="N", help=f"how many; the same option of the data ({counted})")
    parser.add_argument("--reading", choices=get_args(Reading), help="of the study, where it changes the clips")
    parser.add_argument("--sheet", type=Path, help="also write a picture with a clip of every class that needs time")
    known = parser.parse_args(list(options))
    data = _data_module(known.benchmark, known.root, known.clips, known.reading)
    data.prepare_data()
    for stage in ("fit", "test"):
        data.setup(stage)
    print(f"{known.benchmark}: {data.store.folder}, manifest {data.manifest_hash}")
    for split in data.store.splits:
        print(f"  {split:<8} {data.store.spec.num_clips(split):>6} clips")
    if known.sheet is not None:
        atomic_write_bytes(known.sheet, contact_sheet(data))
        print(f"  picture  {known.sheet}")
    return 0


def _data_module(name: str, root: str | None, clips: int | None, reading: str | None) -> GeneratedDataModule:
    make, counted = BENCHMARKS[name]
    options: dict[str, Any] = {"root": root}
    if clips is not None:
        options[counted] = clips
    if reading is not None:
        if name == "glyphs":
            raise UserError("glyphs: --reading is for benchmarks of the study; leave it out")
        options["reading"] = reading
    return make(**options)


def contact_sheet(data: ClipDataModule) -> bytes:
    """PNG with a val clip of every class of the temporal tasks, a row each, frames from left to right."""
    from matplotlib.figure import Figure

    dataset = data.dataset("val")
    chosen: list[tuple[str, int]] = []
    for column, task in enumerate(data.tasks):
        for label, name in enumerate(task.classes if task.temporal else ()):
            found = (dataset.labels[:, column] == label).nonzero().flatten()
            if len(found) == 0:
                continue
            # A stride that shows different digits: clips of a class go through the digits in turn.
            chosen.append((f"{task.name}: {name}", int(found[len(chosen) % len(found)])))
    clips = dataset.fetch([index for _, index in chosen]).frames.numpy()
    figure = Figure(figsize=(2.2 + 0.7 * clips.shape[1], 0.72 * len(chosen)), layout="constrained")
    axes = np.atleast_1d(figure.subplots(len(chosen), 1))
    gap = max(1, clips.shape[3] // 32)
    for axis, (title, _), clip in zip(axes, chosen, clips, strict=True):
        axis.imshow(np.hstack(list(np.pad(clip, ((0, 0), (0, 0), (0, gap), (0, 0)), constant_values=255))))
        axis.set_ylabel(title, rotation=0, ha="right", va="center", fontsize=9)
        axis.set_xticks([])
        axis.set_yticks([])
        axis.spines[:].set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=72)
    return buffer.getvalue()
