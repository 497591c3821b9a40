"""An ablation that never ran: run folders and result rows whose every number is chosen."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from torch.utils.tensorboard import SummaryWriter

from experiments.ablation.cells import Cell
from experiments.evaluation.analyses.order import FULL
from experiments.results import Row, RowStamp, write_rows
from experiments.runs import config_hash, plan_run
from tests.experiments.evaluation.presentation.outcomes import (
    INIT,
    PIXELS,
    RUN,
    falling,
    judged,
    row,
    selectivity,
)
from vjepa.storage import atomic_write_text

TASKS = ("motion", "order")
PROBES = ("linear_time", "attentive")
STEPS = 40
TRAINING = {"train/loss": 0.5, "objective/prediction/raw": 0.4, "collapse/rankme": 30.0}
TRAINING |= {"collapse/target_variance": 0.9, "throughput/clips_per_second": 100.0}


def rows_of(stamp: RowStamp, clean: float) -> list[Row]:
    """Everything one encoder is judged by: ``clean`` on motion by the first probe, less elsewhere."""
    found = []
    for task_number, task in enumerate(TASKS):
        for probe_number, probe in enumerate(PROBES):
            value = clean - 0.1 * task_number - 0.05 * probe_number
            place = {"benchmark": f"glyphs/{task}", "probe": probe}
            found += judged(stamp, falling(value, 0.02), **place)[0]
            found.append(row(stamp, "top1", 0.3, FULL, **place))
            found.append(row(stamp, "os", 0.5, FULL, **place))
            found.append(row(stamp, "top1", 0.9, **{**place, "split": "val"}))
    found += selectivity(stamp, 0.25, 0.01)
    return [*found, row(stamp, "rankme", 20.0, benchmark="glyphs", probe="none")]


def make_cell(
    folder: Path, settings: Mapping[str, Any], variant: str, seed: int, clean: float, *, done: bool = True,
    controls: bool = False,
) -> Cell:  # fmt: skip
    """One cell with its run, its evaluation, and what training logged."""
    resolved = copy.deepcopy(dict(settings))
    resolved["run"] |= {"variant": variant, "root": str(folder / "runs")}
    resolved["seed_everything"] = seed
    resolved["trainer"]["max_steps"] = STEPS
    if variant != "baseline":
        resolved["model"]["objectives"]["latent_dynamics"] = {"weight": 0.3}
    run = plan_run(resolved, "glyphs", seed)
    atomic_write_text(run.config, yaml.safe_dump(resolved))
    run.mark_done(step=STEPS)
    changes = {"variant": variant, "seed": seed, "step": STEPS, "config_hash": config_hash(resolved)}
    rows = rows_of(dataclasses.replace(RUN, **changes), clean)
    if controls:
        rows += rows_of(dataclasses.replace(INIT, seed=seed), 0.5) + rows_of(
            dataclasses.replace(PIXELS, seed=seed), 0.4
        )
    write_rows(run.folder / "evaluation" / "glyphs" / "results.jsonl", rows)
    with SummaryWriter(str(run.folder)) as writer:
        for step in (STEPS // 2, STEPS):
            for tag, value in TRAINING.items():
                writer.add_scalar(tag, value + (STEPS - step) / 100, step)
    cell = Cell(variant, "as_described", seed, run, folder / "cells" / variant / f"seed{seed}", f"{variant}{seed}")
    if done:
        seconds = {"fit": 60.0 + seed, "evaluation": 30.0}
        mark = {"hash": cell.hash, "seconds": seconds, "peak_rss_bytes": 2**30}
        atomic_write_text(cell.done_mark, json.dumps(mark))
    return cell
