"""Folders of evaluations that nobody ran: what they hold is told."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from experiments.results import (
    ClipValues,
    Predictions,
    Row,
    RowStamp,
    write_clip_values,
    write_predictions,
    write_rows,
)
from experiments.results.files import CLIP_VALUES, DONE, PREDICTIONS, RESULTS
from vjepa.corruptions import PROFILES

CLIPS = 60
STAMP = RowStamp("glyphs", "glyphs", "baseline", "as_described", "whole", 0, 100, "teacher", "cafe")
TASKS = {"glyphs/appearance": range(CLIPS), "glyphs/motion": range(0, CLIPS, 2), "glyphs/order": range(1, CLIPS, 2)}
PROFILE = "smoke"
CONDITIONS = PROFILES[PROFILE].label_preserving


def stamp_of(variant: str, seed: int, reading: str = "as_described") -> RowStamp:
    """Of a trained variant, or of a control by its name."""
    stamp = dataclasses.replace(STAMP, variant=variant, seed=seed, reading=reading, config_hash=f"{variant}{seed}")
    if variant == "random_init":
        return dataclasses.replace(stamp, reading="none", step=0, weights="init")
    return dataclasses.replace(stamp, step=0, weights="pixels") if variant == "pixels" else stamp


def write_evaluation(
    folder: Path,
    stamps: Iterable[RowStamp],
    accuracy: float | Mapping[str, float] = 0.5,
    probes: Iterable[str] = ("linear_time",),
    clips: Iterable[int] = range(CLIPS),
    index: float | None = 0.0,
    protocol: str = "p",
    conditions: Iterable[tuple[str, int]] = CONDITIONS,
) -> Path:
    """Write an evaluation of some encoders.

    Args:
        folder: where.
        stamps: the encoders.
        accuracy: share of right answers, or by variant.
        probes: their names.
        clips: test clips that could be read.
        index: of selectivity, within level, about; None writes no drifts.
        protocol: hash of all rows.
        conditions: that the clips were shown under, beside clean.
    """
    chosen, blocks, drifts, rows = set(clips), [], [], []
    for stamp in stamps:
        rng = np.random.default_rng([stamp.seed, *stamp.variant.encode(), *stamp.reading.encode()])
        share = accuracy if isinstance(accuracy, float) else accuracy[stamp.variant]
        for probe in probes:
            for task, all_clips in TASKS.items():
                some = np.array([clip for clip in all_clips if clip in chosen])
                for condition in (("none", 0), *conditions):
                    right = rng.random(len(some)) < share
                    blocks.append(
                        Predictions(
                            stamp, task, probe, "whole", *condition, some, tuple(f"test/{clip}" for clip in some),
                            np.ones(len(some), np.int64), right.astype(np.int64), np.zeros(len(some), np.float32),
                        )
                    )  # fmt: skip
                rows.append(row(stamp, task, probe, protocol, float(share)))
        if index is not None and stamp.weights != "pixels":
            some = np.array(sorted(chosen))
            names = tuple(f"test/{clip}" for clip in some)
            for division in ("within_level", "by_level"):
                for half in ("app", "dyn"):
                    for condition in conditions:
                        follows = half == "app" and condition[0] == "gaussian_noise"
                        level = 0.3 * np.exp(index if follows and division == "within_level" else 0.0)
                        values = (level * rng.uniform(0.9, 1.1, len(some))).astype(np.float32)
                        drifts.append(
                            ClipValues(
                                stamp, "glyphs", f"{division}.{half}", "centred_drift", *condition, some, names, values
                            )
                        )
    write_predictions(folder / PREDICTIONS, blocks)
    write_clip_values(folder / CLIP_VALUES, drifts)
    write_rows(folder / RESULTS, rows)
    (folder / DONE).write_text("{}")
    return folder


def row(stamp: RowStamp, task: str, probe: str, protocol: str, value: float) -> Row:
    return Row(
        **vars(stamp), benchmark=task, split="test", probe=probe, subspace="whole", corruption="none", severity=0,
        metric="top1", value=value, n=CLIPS, protocol_hash=protocol,
    )  # fmt: skip
