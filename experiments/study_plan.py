"""What a study trains: variants x settings x readings x seeds, resolved and checked before anything starts."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from experiments.overlays import objective_overlay, variant_names
from experiments.runs import Run
from experiments.sweep import combinations, parse_sweep, swept_name
from vjepa.errors import UserError, unknown_name
from vjepa.reading import Reading


@dataclass(frozen=True)
class Study:
    """What is trained, how it is judged, and where it is kept.

    Args:
        title: heading of the report.
        configs: YAML files, base first; objective overlays come after them.
        variants: names of files in configs/objective.
        readings: as_described, as_released or both.
        seeds: pretraining seeds.
        out: folder of runs, evaluations and report.
        extra: further options of ``vjepa fit``.
        probes: names of probe protocols.
        corruptions: corruption profile, or None.
        num_train, num_test: most clips for fitting and for testing probes; None takes all.
        jobs: runs trained at the same time, each on one thread if more than one.
        command: command that repeats the study.
        caveats: what it cannot show.
        sweeps: options of the model at several values, as ``[VARIANT:]KEY=VALUE,VALUE``.
    """

    title: str
    configs: tuple[str, ...]
    variants: tuple[str, ...]
    readings: tuple[str, ...]
    seeds: tuple[int, ...]
    out: str
    extra: tuple[str, ...] = ()
    probes: tuple[str, ...] = ("linear_time", "attentive")
    corruptions: str | None = "smoke"
    num_train: int | None = None
    num_test: int | None = None
    jobs: int = 1
    command: str = ""
    caveats: tuple[str, ...] = ()
    sweeps: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """``out`` as a path."""
        return Path(self.out)


@dataclass(frozen=True)
class Cell:
    """One training run of a study.

    Args:
        variant: its name; a swept one carries its settings after the name of the overlay.
        reading, seed: of the run.
        options: of ``vjepa fit``.
        run: where it is kept.
    """

    variant: str
    reading: str
    seed: int
    options: tuple[str, ...]
    run: Run

    @property
    def label(self) -> str:
        """Name in progress lines."""
        return f"{self.variant} {self.reading} seed {self.seed}"


def plan_cells(study: Study) -> list[Cell]:
    """Resolve every cell of a study, seeds slowest.

    Raises:
        UserError: an unknown variant or reading, no seed, a sweep that a variant cannot take, or options that the
            parser rejects.
    """
    from experiments.lightning_cli import resolve_run

    for kind, names, known in (
        ("variant", study.variants, variant_names()),
        ("reading", study.readings, get_args(Reading)),
    ):
        for name in names:
            if name not in known:
                raise unknown_name(kind, name, known)
    if not study.seeds:
        raise UserError("a study needs at least one seed, for example --seeds 0,1,2")
    cells = []
    for seed, (name, configs, changes), reading in itertools.product(study.seeds, _columns(study), study.readings):
        options = [*configs, f"--model.reading={reading}", f"--seed_everything={seed}"]
        options += [f"--run.root={study.folder / 'runs'}", *study.extra, *changes]
        cells.append(Cell(name, reading, seed, tuple(options), resolve_run(options)))
    return cells


def _columns(study: Study) -> list[tuple[str, list[str], list[str]]]:
    """Name, configuration files and swept options of each cell of one seed and reading."""
    from experiments.lightning_cli import resolve_settings

    sweeps = [parse_sweep(text) for text in study.sweeps]
    for sweep in sweeps:
        if sweep.variant not in (None, *study.variants):
            raise unknown_name(f"variant of --set {sweep.text}:", str(sweep.variant), study.variants)
    columns = []
    for variant in study.variants:
        paths = [*study.configs, str(objective_overlay(variant))]
        configs = [word for path in paths for word in ("--config", path)]
        model = resolve_settings([*configs, *study.extra])["model"] if sweeps else {}
        for settings in combinations(sweeps, variant, model):
            name = swept_name(variant, settings)
            changes = [f"--model.{key}={value}" for key, value in settings]
            columns.append((name, configs, [*changes, f"--run.variant={name}"] if settings else []))
    return columns


def check_cells(cells: Sequence[Cell]) -> None:
    """Make every model of one seed without its weights, so that a bad cell is refused before the first one trains.

    Raises:
        UserError: options that contradict one another; the cell is named.
    """
    import torch

    from experiments.lightning_cli import resolve_settings
    from experiments.load import instantiate

    for cell in cells:
        if cell.seed != cells[0].seed or cell.run.is_done:
            continue
        settings, name = resolve_settings(cell.options), f"{cell.variant} {cell.reading}"
        with torch.device("meta"):
            model = instantiate(settings, "model", name, hint="")
        data = instantiate(settings, "data", name, hint="")
        try:
            model.check_batch(data.batch_size, data.num_frames)
        except UserError as error:
            raise UserError(f"{name}: {error}") from error
