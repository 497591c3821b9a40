"""Writes and checks an embedded benchmark."""

from __future__ import annotations

import argparse
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from data_modules import GlyphsDataModule
from data_modules.base import ClipDataModule
from vjepa.storage import atomic_write_bytes


def main(options: Sequence[str]) -> int:
    """``vjepa prepare glyphs``: write what is missing, verify every checksum, decode every split."""
    parser = argparse.ArgumentParser("vjepa prepare", description=main.__doc__)
    parser.add_argument("benchmark", choices=["glyphs"])
    parser.add_argument("--root", help="cache folder; default VJEPA_CACHE or the user's cache folder")
    parser.add_argument("--sheet", type=Path, help="also write a picture with a clip of every motion and order class")
    known = parser.parse_args(list(options))
    data = GlyphsDataModule(root=known.root)
    data.prepare_data()
    for stage in ("fit", "test"):
        data.setup(stage)
    print(f"glyphs: {data.store.folder}, manifest {data.manifest_hash}")
    for split in ("train", "val", "test"):
        print(f"  {split:<5} {len(data.dataset(split)):>6} clips")  # type: ignore[arg-type]
    if known.sheet is not None:
        atomic_write_bytes(known.sheet, contact_sheet(data))
        print(f"  picture {known.sheet}")
    return 0


def contact_sheet(data: ClipDataModule, split: Literal["train", "val"] = "val") -> bytes:
    """PNG with one clip of every class of the temporal tasks, a row each, frames from left to right."""
    from matplotlib.figure import Figure

    dataset = data.dataset(split)
    chosen: list[tuple[str, int]] = []
    for column, task in enumerate(data.tasks):
        for label, name in enumerate(task.classes if task.temporal else ()):
            found = (dataset.labels[:, column] == label).nonzero().flatten()
            # A stride that shows different digits: clips of a class go through the digits in turn.
            chosen.append((f"{task.name}: {name}", int(found[len(chosen) % len(found)])))
    clips = dataset.fetch([index for _, index in chosen]).frames.numpy()
    figure = Figure(figsize=(2.2 + 0.7 * clips.shape[1], 0.72 * len(chosen)), layout="constrained")
    axes = figure.subplots(len(chosen), 1)
    for axis, (title, _), clip in zip(axes, chosen, clips, strict=True):
        axis.imshow(np.hstack(list(np.pad(clip, ((0, 0), (0, 0), (0, 1), (0, 0)), constant_values=255))))
        axis.set_ylabel(title, rotation=0, ha="right", va="center", fontsize=9)
        axis.set_xticks([])
        axis.set_yticks([])
        axis.spines[:].set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=72)
    return buffer.getvalue()
