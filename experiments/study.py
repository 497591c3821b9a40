"""A study: variants x settings x readings x seeds, each trained as its own process, then probed and compared.

Everything is found again on the next start: a trained run by its ``DONE.json``, an evaluation by its own.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

from experiments.cli import RESUMABLE
from experiments.overlays import BASE
from experiments.study_plan import Cell, Study, check_cells, plan_cells
from vjepa.errors import UserError
from vjepa.storage import atomic_write_text

CAVEATS = (
    "Every interval stands alone: none is corrected for the number of comparisons.",
    "A variant that does badly here might do better with other weights of its terms: --set sweeps them.",
    "The robustness table, where there is one, is a smoke run of three corruptions at one severity.",
)


def train(cells: Sequence[Cell], jobs: int) -> None:
    """Train what is not finished, each cell in its own process.

    Raises:
        UserError: a cell failed; its log is named. The others have been trained.
    """
    open_cells = [cell for cell in cells if not cell.run.is_done]
    for cell in cells:
        if cell.run.is_done:
            print(f"  {cell.label}: finished before, {cell.run.folder}")
    if jobs == 1:
        failed = [cell for cell in open_cells if _train_in_sight(cell) != 0]
    else:
        with ThreadPoolExecutor(jobs) as pool:
            codes = list(pool.map(_train_in_background, open_cells))
        failed = [cell for cell, code in zip(open_cells, codes, strict=True) if code != 0]
    if failed:
        names = ", ".join(f"{cell.label} ({cell.run.folder})" for cell in failed)
        raise UserError(f"training failed: {names}; mend the cause and repeat the command, the rest is kept")


def _command(cell: Cell) -> list[str]:
    return [sys.executable, "-m", "vjepa", "fit", *cell.options]


def _train_in_sight(cell: Cell) -> int:
    print(f"  {cell.label}", flush=True)
    code = subprocess.run(_command(cell), check=False).returncode
    if code == RESUMABLE:
        raise KeyboardInterrupt
    return 0 if cell.run.is_done else code or 1


def _train_in_background(cell: Cell) -> int:
    cell.run.folder.mkdir(parents=True, exist_ok=True)
    log = cell.run.folder / "fit.log"
    print(f"  {cell.label}: started, log in {log}", flush=True)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with open(log, "a") as file:
        command = [*_command(cell), "--trainer.enable_progress_bar=false"]
        done = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, env=environment, check=False)
    print(f"  {cell.label}: {'done' if cell.run.is_done else f'failed, see {log}'}", flush=True)
    return 0 if cell.run.is_done else done.returncode or 1


def run_study(study: Study) -> Path:
    """Train, probe, report; returns the folder of the report."""
    from experiments.study_evaluation import evaluate_seed
    from experiments.study_report import write_report

    cells = plan_cells(study)
    check_cells(cells)
    atomic_write_text(study.folder / "study.json", json.dumps(asdict(study), indent=2) + "\n")
    seeds = ", ".join(map(str, study.seeds))
    names = ", ".join(dict.fromkeys(cell.variant for cell in cells))
    announce(f"pretraining: {len(cells)} runs, {names} ({', '.join(study.readings)}), seeds {seeds}")
    train(cells, study.jobs)
    for seed in study.seeds:
        announce(f"probes of seed {seed}, beside random-init and pixel controls, then the same probes on damaged clips")
        evaluate_seed(study, seed, [cell for cell in cells if cell.seed == seed])
    announce("report")
    return write_report(study, cells)


def announce(stage: str) -> None:
    """Say which stage begins."""
    print(f"\n== {stage}", flush=True)


def main(options: Sequence[str]) -> int:
    """``vjepa study``."""
    parser = argparse.ArgumentParser("vjepa study", description=__doc__)
    parser.add_argument("--config", action="append", default=[], help="YAML after base.yaml; may be repeated")
    parser.add_argument("--variants", default="baseline,fwm_hw_ld", help="comma-separated; see vjepa variants")
    parser.add_argument("--readings", default="as_described", help="comma-separated: as_described, as_released")
    parser.add_argument("--seeds", default="0,1,2", help="comma-separated")
    parser.add_argument(
        "--set", action="append", default=[], metavar="[VARIANT:]KEY=VALUES", dest="sweeps",
        help="sweep an option of the model, one cell a value, as in objectives.latent_dynamics.weight=0.1,0.3,1; "
        "several make a grid; VARIANT: sweeps that variant alone",
    )  # fmt: skip
    parser.add_argument("--probes", default="linear_time,attentive", help="comma-separated probe protocols")
    parser.add_argument("--corruptions", default="smoke", help="corruption profile, or none")
    parser.add_argument("--out", required=True, help="folder of runs, evaluations and report")
    parser.add_argument("--title", default="Study")
    parser.add_argument("--jobs", type=int, default=1, help="runs trained at the same time")
    known, extra = parser.parse_known_args(list(options))
    study = Study(
        title=known.title,
        configs=(str(BASE), *known.config),
        variants=tuple(known.variants.split(",")),
        readings=tuple(known.readings.split(",")),
        seeds=_seeds(known.seeds),
        out=known.out,
        extra=tuple(extra),
        probes=tuple(known.probes.split(",")),
        corruptions=None if known.corruptions == "none" else known.corruptions,
        jobs=known.jobs,
        command=shlex.join(["vjepa", "study", *options]),
        caveats=CAVEATS,
        sweeps=tuple(known.sweeps),
    )
    run_study(study)
    return 0


def _seeds(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in text.split(",") if word)
    except ValueError as error:
        raise UserError(f"--seeds {text!r}: expected whole numbers with commas, for example 0,1,2") from error


def load_study(folder: Path) -> Study:
    """The study that a folder holds.

    Raises:
        UserError: it holds none.
    """
    path = folder / "study.json"
    try:
        stored = json.loads(path.read_text())
        stored = {key: tuple(value) if isinstance(value, list) else value for key, value in stored.items()}
        return replace(Study(**stored), out=str(folder))
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{path} cannot be read ({error}); a study folder is written by vjepa study or demo") from error
