"""A run of four steps on a few clips, and what tests of its frozen evaluation ask about it."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import experiments.evaluation.online
import experiments.evaluation.runs
from experiments.callbacks import FrozenProbe
from experiments.callbacks.frozen import EvaluationCallback
from experiments.overlays import BASE, CONFIGS
from experiments.results import Row, read_rows
from experiments.runs import Run, reopen
from vjepa.storage import atomic_write_text

ROOT = Path(__file__).parents[3]
TASKS = ("appearance", "motion", "order")
SIZES = ("--data.init_args.train_clips=48", "--data.init_args.val_clips=16", "--data.init_args.test_clips=16")
# Two micro-batches a step, and validation before and within training: places where no probe belongs.
STEPS = ("--trainer.max_steps=4", "--trainer.accumulate_grad_batches=2", "--trainer.num_sanity_val_steps=2")
ONLINE = ("--probe.every_n_steps=2", "--probe.online_train=24", "--probe.online_val=16")
FEW = ("--probe.num_train=24", "--probe.num_val=16", "--probe.num_test=13")
ALL_ON = (
    *("--probe.enabled=true", "--probe.probes=[linear_time,knn]", *FEW, "--order.enabled=true"),
    *(f"--{name}.enabled=true" for name in ("robustness", "stability", "subspaces")),
    *(f"--{name}.profile=smoke" for name in ("robustness", "stability", "subspaces")),
    "--subspaces.num_splits=5",
)  # fmt: skip


def words(root: Path, *extra: str, steps: tuple[str, ...] = STEPS) -> list[str]:
    """Options of the tiny run of these tests."""
    configs = (BASE, CONFIGS / "study" / "glyphs.yaml", CONFIGS / "objective" / "fwm_hw_ld.yaml")
    return [
        *(word for path in configs for word in ("--config", str(path))),
        *("--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false", "--trainer.accelerator=cpu"),
        *("--trainer.log_every_n_steps=3", "--trainer.val_check_interval=4", "--data.init_args.batch_size=4"),
        *(*SIZES, *steps, f"--run.root={root}", *extra),
    ]


def random_states() -> list[Any]:
    return [random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist()]


class Watch:
    """Hooks of the evaluation callbacks, observed; the evaluation inside them draws from every global generator."""

    def __init__(self) -> None:
        self.hooks: list[tuple[str, bool]] = []
        self.steps: list[int] = []

    def around(self, hook: Callable[..., None]) -> Callable[..., None]:
        def observed(callback: EvaluationCallback, *args: Any) -> None:
            before = random_states()
            hook(callback, *args)
            self.hooks.append((f"{type(callback).__name__}.{hook.__name__}", random_states() == before))

        return observed

    def drawing(self, evaluation: Callable[..., Any]) -> Callable[..., Any]:
        def draw(trainer: Any, *args: Any, **kwargs: Any) -> Any:
            self.steps.append(trainer.global_step)
            random.random(), np.random.rand(), torch.rand(1)
            return evaluation(trainer, *args, **kwargs)

        return draw

    def on(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(EvaluationCallback, "on_test_end", self.around(EvaluationCallback.on_test_end))
        patch.setattr(FrozenProbe, "on_train_batch_end", self.around(FrozenProbe.on_train_batch_end))
        for module, name in (
            (experiments.evaluation.online, "probe_online"),
            (experiments.evaluation.runs, "evaluate_tested"),
        ):
            patch.setattr(module, name, self.drawing(getattr(module, name)))


def root_of(run: Run) -> Path:
    return run.folder.parents[3]


def files(root: Path) -> dict[Path, int]:
    """Every file with the time it was written."""
    return {path: path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()}


def online_rows(run: Run) -> list[Row]:
    return [row for row in read_rows(run.results) if row.split == "val" and row.weights == "teacher" and row.step]


def reseed(settings: dict[str, Any]) -> None:
    settings["seed_everything"] = settings["model"]["seed"] = 1


def copied(run: Run, folder: Path, change: Callable[[dict[str, Any]], None]) -> Run:
    """A finished run of a changed configuration with the same weights."""
    shutil.copytree(run.checkpoints, folder / "checkpoints")
    settings = yaml.safe_load(run.config.read_text())
    change(settings)
    atomic_write_text(folder / "config.yaml", yaml.safe_dump(settings))
    copy = reopen(folder)
    copy.mark_done(step=4)
    return copy


def run_processes(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
