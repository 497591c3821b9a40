"""Trainings that are stopped: what is said, what is kept, and that sound ones are left alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from experiments.cli import main
from experiments.overlays import BASE
from experiments.runs import Run
from vjepa.latents import Latents
from vjepa.module import VideoJEPA
from vjepa.objectives import LossReport

SMALL = (
    *("--data.init_args.train_clips=32", "--data.init_args.val_clips=8", "--data.init_args.test_clips=8"),
    *("--data.init_args.batch_size=4", "--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false"),
    *("--trainer.enable_model_summary=false", "--pictures.enabled=false", "--checkpoint.every_n_train_steps=2"),
)


def fit(root: Path, *extra: str) -> int:
    return main(["fit", "--config", str(BASE), *SMALL, f"--run.root={root}", "--trainer.max_steps=12", *extra])


def folder_of(root: Path) -> Path:
    (config,) = root.rglob("config.yaml")
    return config.parent


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VJEPA_CACHE", str(tmp_path_factory.getbasetemp() / "guard-cache"))


def test_a_loss_that_is_no_number_stops_with_weights_from_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = VideoJEPA.loss

    def loss(self: VideoJEPA, latents: Latents) -> LossReport:
        report = sound(self, latents)
        return _times(report, float("nan")) if latents.step == 6 else report

    monkeypatch.setattr(VideoJEPA, "loss", loss)
    assert fit(tmp_path, "--trainer.log_every_n_steps=50") == 1
    error = capsys.readouterr().err
    folder = folder_of(tmp_path)
    stopped = json.loads((folder / "STOPPED.json").read_text())
    assert "the loss is nan" in error and "STOPPED.json" in error and "Traceback" not in error
    assert len(stopped["clips"]) == 4 and all(0 <= clip < 32 for clip in stopped["clips"])
    assert not (folder / "DONE.json").exists()
    kept = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    assert kept["global_step"] == 6 and stopped["step"] == 7
    assert all(torch.isfinite(value).all() for value in kept["state_dict"].values())


def test_a_collapse_stops_after_some_patience(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    limits = ("--guard.min_rankme=1000", "--guard.patience=2", "--trainer.log_every_n_steps=3")
    assert fit(tmp_path, *limits) == 1
    assert "collapse/rankme is" in capsys.readouterr().err
    assert json.loads((folder_of(tmp_path) / "STOPPED.json").read_text())["step"] == 6


def test_patience_counts_logging_steps_and_not_micro_batches(tmp_path: Path) -> None:
    limits = ("--guard.min_rankme=1000", "--guard.patience=3", "--trainer.log_every_n_steps=2")
    assert fit(tmp_path, *limits, "--trainer.accumulate_grad_batches=2") == 1
    assert json.loads((folder_of(tmp_path) / "STOPPED.json").read_text())["step"] == 6


def test_sound_trainings_are_left_alone(tmp_path: Path) -> None:
    assert fit(tmp_path, "--guard.min_rankme=1", "--trainer.log_every_n_steps=3") == 0
    assert not (folder_of(tmp_path) / "STOPPED.json").exists()


def test_a_training_that_logs_nothing_is_guarded_before_its_checkpoints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fit(tmp_path / "sound", "--trainer.log_every_n_steps=0", "--trainer.max_steps=3") == 0
    sound = VideoJEPA.loss
    monkeypatch.setattr(VideoJEPA, "loss", lambda self, latents: _times(sound(self, latents), float("inf")))
    assert fit(tmp_path / "broken", "--trainer.log_every_n_steps=0") == 1
    assert "the loss is inf" in capsys.readouterr().err


def _times(report: LossReport, factor: float) -> LossReport:
    return replace(report, total=report.total * factor)


def test_a_torn_checkpoint_is_named_and_the_one_before_is_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(tmp_path) == 0
    run = Run(folder_of(tmp_path), "")
    whole = torch.load(run.last_checkpoint, weights_only=True)
    assert torch.load(run.previous_checkpoint, weights_only=True)["global_step"] == 10 < whole["global_step"]
    data = run.last_checkpoint.read_bytes()
    run.last_checkpoint.write_bytes(data[: len(data) // 2])
    run.done_mark.unlink()
    assert fit(tmp_path) == 0
    said = capsys.readouterr()
    assert "last.ckpt is no checkpoint of a run, or is torn" in said.err and "going on from step 10" in said.err
    assert f"continuing from {run.previous_checkpoint}" in said.out
    again = torch.load(run.last_checkpoint, weights_only=True)
    assert all(torch.equal(value, again["state_dict"][name]) for name, value in whole["state_dict"].items())


def test_nothing_is_guessed_where_no_checkpoint_is_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit(tmp_path) == 0
    run = Run(folder_of(tmp_path), "")
    run.done_mark.unlink()
    for path in (run.last_checkpoint, run.previous_checkpoint):
        path.unlink()
        path.write_bytes(b"torn")
    assert fit(tmp_path) == 2
    assert "previous.ckpt is no checkpoint of a run, or is torn" in capsys.readouterr().err
