"""From what was asked to the cells of an ablation, each resolved to one flat configuration."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from experiments.ablation.cells import Cell
from experiments.ablation.groups import BASELINE
from experiments.ablation.micro_batch import fit_micro_batch
from experiments.ablation.resolve import Column, check_extra, columns_of
from experiments.ablation.spec import Ablation, Grid
from experiments.load import data_name
from experiments.overlays import variant_names
from experiments.runs import identity, plan_run
from vjepa.errors import UserError, unknown_name
from vjepa.reading import Reading
from vjepa.storage import digest_json

EVALUATION = ("probe", "robustness", "stability", "order", "subspaces")
"""Sections of a configuration that say what is evaluated."""
_NOT_EVALUATED = {"cache", "every_n_steps", "online_probes", "online_train", "online_val"}


def plan_cells(ablation: Ablation) -> list[Cell]:
    """Resolve every cell of an ablation once: grid by grid, seeds slowest.

    The plain baseline is part of every grid. Its first cell of a seed judges random initialisation and raw pixels too.

    Raises:
        UserError: an unknown variant or reading, no seed or one given twice, a sweep that a variant cannot take,
            options that the parser rejects, or a batch that cannot be cut as a cell needs it.
    """
    check_extra(ablation.extra)
    for grid in ablation.grids:
        _check(grid)
    cells: dict[tuple[str, str, int], Cell] = {}
    has_controls: set[int] = set()
    for grid in ablation.grids:
        columns = columns_of(ablation, grid)
        for seed, column, reading in itertools.product(grid.seeds, columns, grid.readings):
            if (column.name, reading, seed) in cells:
                continue
            controls = column.name == BASELINE and seed not in has_controls
            has_controls |= {seed} if controls else set()
            cells[column.name, reading, seed] = _make_cell(column, reading, seed, ablation.folder, controls)
    return list(cells.values())


def of_grid(cells: Sequence[Cell], grid: Grid) -> list[Cell]:
    """Those cells of a plan that a grid asks for, its baseline included."""
    names = {*grid.variants, BASELINE}
    return [
        cell
        for cell in cells
        if cell.variant.partition("@")[0] in names and cell.reading in grid.readings and cell.seed in grid.seeds
    ]


def cell_of(settings: Mapping[str, Any], out: Path) -> Cell:
    """The cell that a flat configuration describes, in the folder of an ablation."""
    variant, reading, seed = settings["run"]["variant"], settings["model"]["reading"], settings["seed_everything"]
    run = plan_run(settings, data_name(dict(settings)), seed)
    hashed = digest_json([run.config_hash, evaluation_of(settings)])
    folder = out.absolute() / "cells" / variant / reading / f"seed{seed}-{hashed[:8]}"
    return Cell(variant, reading, seed, run, folder, hashed, settings, _num_devices(settings["trainer"]))


def evaluation_of(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What a configuration says about the evaluation of its run."""
    found = {name: settings[name] for name in EVALUATION}
    return {
        name: {key: value for key, value in section.items() if key not in _NOT_EVALUATED and value is not None}
        for name, section in found.items()
    }


def _make_cell(column: Column, reading: str, seed: int, out: Path, controls: bool) -> Cell:
    settings = deepcopy(dict(column.settings))
    settings["seed_everything"] = settings["model"]["seed"] = seed
    settings["model"]["reading"] = reading
    for key, value in (("seed", seed), ("reading", reading)):
        if key in settings["data"]["init_args"]:
            settings["data"]["init_args"][key] = value
    settings["probe"]["controls"] = controls and settings["probe"]["controls"]
    note = fit_micro_batch(settings, f"{column.name} {reading}")
    return replace(cell_of(settings, out), note=note)


def shared_settings(cells: Sequence[Cell]) -> dict[str, Any]:
    """Settings of training that all cells share: those of the baseline, without reading and seed."""
    kept = identity(next(cell for cell in cells if cell.variant == BASELINE).settings)
    del kept["seed_everything"], kept["model"]["seed"], kept["model"]["reading"]
    for key in ("seed", "reading"):
        kept["data"]["init_args"].pop(key, None)
    return kept


def _check(grid: Grid) -> None:
    for kind, names, known in (
        ("variant", grid.variants, variant_names()),
        ("reading", grid.readings, get_args(Reading)),
    ):
        for name in names:
            if name not in known:
                raise unknown_name(kind, name, known)
    if not grid.seeds:
        raise UserError("an ablation needs at least one seed, for example --seeds 0,1,2")
    for what, given in (("reading", grid.readings), ("seed", grid.seeds)):
        if twice := [one for one in given if given.count(one) > 1]:  # type: ignore[arg-type]
            raise UserError(f"{what} {twice[0]} is given twice: name each once")


def _num_devices(trainer: Mapping[str, Any]) -> int:
    """Processes of a training run; ``auto`` takes the one device that the scheduler shows it."""
    asked = trainer["devices"]
    if isinstance(asked, str) and asked.lstrip("-").isdigit():
        asked = int(asked)
    if isinstance(asked, str):
        asked = len(asked.split(",")) if asked != "auto" else 1
    count = len(asked) if isinstance(asked, list) else max(1, asked)
    return count * int(trainer["num_nodes"])
