"""Probes of one seed of a study: every variant, its random initialisation and raw pixels, on the same clips."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from data_modules.base import ClipDataModule
from experiments.encoders import FrozenEncoder, PixelEncoder
from experiments.evaluate import PREDICTIONS, RESULTS, evaluate_encoders
from experiments.load import load_data, load_model, stamp
from experiments.results import RANDOM_INIT, RowStamp
from experiments.study import evaluation_key
from experiments.study_plan import Cell, Study
from vjepa.storage import atomic_write_text

DONE = "DONE.json"


def evaluation_folder(study: Study, seed: int) -> Path:
    """Where results and predictions of a seed are kept."""
    return study.folder / "evaluation" / f"seed{seed}"


def evaluate_seed(study: Study, seed: int, cells: Sequence[Cell]) -> None:
    """Probe the runs of one seed with their controls, unless that has been done with the same inputs."""
    data = load_data(cells[0].run)
    folder = evaluation_folder(study, seed)
    with_pixels = seed == study.seeds[0]
    key = evaluation_key(study, [cell.run for cell in cells], data.manifest_hash, with_pixels)
    if _is_done(folder, key):
        print(f"  probed before, {folder}")
        return
    evaluate_encoders(
        encoders_of(cells, data, with_pixels),
        data,
        study.probes,
        study.corruptions,
        num_train=study.num_train,
        num_test=study.num_test,
        out_dir=folder,
    )
    atomic_write_text(folder / DONE, json.dumps({"key": key}) + "\n")


def encoders_of(
    cells: Sequence[Cell], data: ClipDataModule, with_pixels: bool
) -> dict[str, tuple[FrozenEncoder, RowStamp]]:
    """Encoders of one seed by label: controls first, then each run with the weights its reading evaluates.

    Args:
        cells: the seed's runs.
        data: what they were trained on.
        with_pixels: add raw pixels, which are the same for every seed.
    """
    encoders: dict[str, tuple[FrozenEncoder, RowStamp]] = {}
    for number, cell in enumerate(cells):
        model = load_model(cell.run)
        step = int(json.loads(cell.run.done_mark.read_text())["step"])
        if number == 0:
            if with_pixels:
                pixels = PixelEncoder(model.encoder.patch, model.encoder.tubelet)
                encoders["pixels"] = (pixels, stamp(cell.run, model, data, "pixels", 0))
            control = replace(
                stamp(cell.run, model, data, "init", 0), variant=RANDOM_INIT, reading="none", layout="whole"
            )
            encoders["random init"] = (model.frozen("init"), control)
        weights = model.evaluated_weights
        label = f"{cell.variant} {cell.reading}"
        encoders[label] = (model.frozen(), stamp(cell.run, model, data, weights, step))
    return encoders


def _is_done(folder: Path, key: str) -> bool:
    try:
        done = json.loads((folder / DONE).read_text())["key"] == key
    except (OSError, ValueError, KeyError):
        return False
    return done and all((folder / name).is_file() for name in (RESULTS, PREDICTIONS))
