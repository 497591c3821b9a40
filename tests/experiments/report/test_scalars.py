"""Scalars come back from real TensorBoard event files."""

from __future__ import annotations

import os

import pytest
from torch.utils.tensorboard import SummaryWriter

from experiments.report import read_scalars


def _log(folder, steps, value):
    with SummaryWriter(str(folder)) as writer:
        for step in steps:
            writer.add_scalar("train/loss", value + step, step)
    return max(folder.glob("events.out.tfevents.*"), key=lambda path: path.stat().st_mtime_ns)


def test_reads_what_was_logged_and_leaves_out_the_rest(tmp_path):
    _log(tmp_path / "version_0", range(0, 30, 10), 0.5)
    found = read_scalars(tmp_path, ["train/loss", "absent"])
    assert set(found) == {"train/loss"}
    assert found["train/loss"].steps == (0, 10, 20)
    assert found["train/loss"].values == pytest.approx((0.5, 10.5, 20.5))


def test_a_resumed_run_replaces_repeated_steps(tmp_path):
    first = _log(tmp_path / "a", range(0, 40, 10), 0.0)
    os.utime(first, (1, 1))
    _log(tmp_path / "b", range(20, 60, 10), 100.0)
    loss = read_scalars(tmp_path, ["train/loss"])["train/loss"]
    assert loss.steps == (0, 10, 20, 30, 40, 50)
    assert loss.values == pytest.approx((0, 10, 120, 130, 140, 150))


def test_an_empty_folder_gives_nothing(tmp_path):
    assert read_scalars(tmp_path, ["train/loss"]) == {}
