"""Finished runs without their training: a resolved configuration, random weights, and the marks of a run that ended."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import torch
import yaml

from experiments.load import instantiate
from experiments.runs import Run, reopen
from experiments.training.resolve import resolve_settings
from tests.experiments.frozen.tiny_run import words
from tests.vjepa.interop.made import shaken
from vjepa.module import VideoJEPA
from vjepa.storage import atomic_write_text


@cache
def _resolved(extra: tuple[str, ...]) -> dict[str, Any]:
    return resolve_settings(words(Path("runs"), *extra))


def resolved(*extra: str) -> dict[str, Any]:
    """The settings of the tiny run with further options; parsed once, for the caller to change."""
    return deepcopy(_resolved(extra))


def made_run(folder: Path, *extra: str) -> tuple[Run, VideoJEPA]:
    """The run that ``vjepa fit`` with the options of the tiny run and ``extra`` leaves, and its model."""
    settings = resolved(*extra)
    settings["run"]["root"] = str(folder.parent)
    model: VideoJEPA = instantiate(settings, "model", "settings")
    for seed, network in enumerate((model.encoder, model.target.teacher, model.predictor)):
        if network is not None:
            shaken(network, seed)
    atomic_write_text(folder / "config.yaml", yaml.safe_dump(settings, sort_keys=False))
    run = reopen(folder)
    run.checkpoints.mkdir()
    torch.save({"state_dict": model.state_dict(), "global_step": 4}, run.last_checkpoint)
    run.mark_done(step=4)
    return run, model.eval()
