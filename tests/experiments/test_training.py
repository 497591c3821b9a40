"""Real runs through the command line: records, event files, exact continuation, two processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml

from experiments.checkpoints import read_step
from experiments.cli import main
from experiments.export import open_encoder
from experiments.load import load_data, load_model
from experiments.overlays import BASE, CONFIGS
from experiments.report import read_scalars
from experiments.runs import Run, open_run
from vjepa.errors import UserError
from vjepa.module import FactorizedVideoJEPA

ROOT = Path(__file__).parents[2]
CLIPS = ("--data.init_args.train_clips=48", "--data.init_args.val_clips=16", "--data.init_args.test_clips=16")
QUIET = ("--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false")


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all runs of this file."""
    folder = tmp_path_factory.mktemp("cache")
    before = os.environ.get("VJEPA_CACHE")
    os.environ["VJEPA_CACHE"] = str(folder)
    yield folder
    os.environ.pop("VJEPA_CACHE") if before is None else os.environ.update(VJEPA_CACHE=before)


def words(root: Path, variant: str, steps: int, *extra: str) -> list[str]:
    configs = (BASE, CONFIGS / "study" / "glyphs.yaml", CONFIGS / "objective" / f"{variant}.yaml")
    chosen = [word for path in configs for word in ("--config", str(path))]
    return [
        *("fit", *chosen, *CLIPS, *QUIET, f"--run.root={root}", f"--trainer.max_steps={steps}"),
        *("--data.init_args.batch_size=4", "--trainer.log_every_n_steps=2", "--trainer.val_check_interval=4"),
        *("--trainer.accelerator=cpu", *extra),
    ]


def only_run(root: Path) -> Run:
    (config,) = root.rglob("config.yaml")
    return open_run(config.parent)


def state(run: Run) -> dict[str, torch.Tensor]:
    loaded = torch.load(run.last_checkpoint, weights_only=True)
    moments = loaded["optimizer_states"][0]["state"]
    return loaded["state_dict"] | {f"moment{k}": m["exp_avg"] for k, m in moments.items()}


@pytest.fixture(scope="module")
def finished(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A factorized run of eight steps."""
    root = tmp_path_factory.mktemp("finished")
    assert main(words(root, "fwm_hw_ld", 8)) == 0
    return only_run(root)


def test_leaves_a_complete_record(finished: Run) -> None:
    settings = yaml.safe_load(finished.config.read_text())
    assert settings["model"]["objectives"]["latent_dynamics"]["weight"] == 1.0
    environment = json.loads(finished.environment.read_text())
    assert {"git_revision", "versions", "data_manifest_hash", "machine", "command"} <= environment.keys()
    assert environment["data_manifest_hash"] == load_data(finished).manifest_hash
    done = json.loads(finished.done_mark.read_text())
    assert done["step"] == 8 and done["config_hash"] == finished.config_hash == environment["config_hash"]


def test_event_files_hold_terms_and_diagnostics(finished: Run) -> None:
    tags = ["train/loss", "optimizer/lr", "throughput/clips_per_second", "val/objective/prediction"]
    tags += ["subspace/app_std", "subspace/dyn_std", "gradients/encoder", "gradients/head_latent_dynamics"]
    for name in ("prediction", "context", "hard_region", "static", "orthogonality", "latent_dynamics"):
        tags += [f"objective/{name}/raw", f"objective/{name}/weighted"]
    tags += [f"collapse/{name}" for name in ("rankme", "feature_std", "target_rankme", "target_variance")]
    tags += [f"masks/{kind}_tokens_{number}" for kind in ("context", "target") for number in (0, 1)]
    found = read_scalars(finished.folder, tags)
    assert set(found) == set(tags)
    assert found["train/loss"].steps == (1, 3, 5, 7)
    assert found["objective/context/weighted"].values[0] == pytest.approx(
        0.5 * found["objective/context/raw"].values[0]
    )
    assert 1 <= found["collapse/rankme"].values[-1] <= 96
    assert all(value > 0 for value in found["gradients/head_latent_dynamics"].values)


def test_loads_back_strictly(finished: Run, tmp_path: Path) -> None:
    model = load_model(finished)
    assert isinstance(model, FactorizedVideoJEPA) and model.layout.kind == "within_level"
    frames = load_data(finished).dataset("val").fetch([0, 1]).frames
    assert not torch.equal(model.frozen()(frames), model.frozen("init")(frames))


def test_exported_encoder_gives_the_same_tokens(finished: Run, tmp_path: Path) -> None:
    model, frames = load_model(finished), load_data(finished).dataset("val").fetch([0, 1]).frames
    for half, tolerance in ((False, 0.0), (True, 5e-3)):
        path = tmp_path / f"half{half}.safetensors"
        assert main(["export", str(finished.folder), "--out", str(path), *(["--half"] if half else [])]) == 0
        exported = open_encoder(path)
        torch.testing.assert_close(exported.model.frozen()(frames), model.frozen()(frames), rtol=0, atol=tolerance)
        assert exported.stamp.config_hash == finished.config_hash and exported.clip_shape["size"] == 32


@pytest.mark.parametrize("damage", ["truncated", "foreign", "other architecture", "absent"])
def test_bad_checkpoint_is_named(finished: Run, tmp_path: Path, damage: str) -> None:
    copy = Run(tmp_path / "run", finished.config_hash)
    copy.checkpoints.mkdir(parents=True)
    settings = dict(finished.settings)
    data = finished.last_checkpoint.read_bytes()
    if damage == "truncated":
        copy.last_checkpoint.write_bytes(data[: len(data) // 2])
    elif damage == "foreign":
        torch.save({"weights": 1}, copy.last_checkpoint)
    elif damage == "other architecture":
        copy.last_checkpoint.write_bytes(data)
        settings["model"] = {**settings["model"], "preset": "glyphs"}
    copy.config.write_text(yaml.safe_dump(settings))
    with pytest.raises(UserError, match=r"last\.ckpt"):
        load_model(copy)


def test_checkpoint_of_another_architecture_is_refused_before_a_run_starts(
    finished: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign = words(tmp_path, "baseline", 12, "--model.preset=glyphs", f"--ckpt_path={finished.last_checkpoint}")
    assert main(foreign) == 2
    error = capsys.readouterr().err
    assert "is of another architecture" in error and "encoder" in error and "Traceback" not in error
    assert not list(tmp_path.rglob("config.yaml"))


def test_unfinished_run_is_not_evaluated(finished: Run, tmp_path: Path) -> None:
    copy = Run(tmp_path / "run", "")
    copy.folder.mkdir()
    copy.config.write_text(finished.config.read_text())
    with pytest.raises(UserError, match="not finished"):
        open_run(copy.folder)
    with pytest.raises(UserError, match="no run"):
        open_run(tmp_path / "nothing")


def test_finished_run_is_left_alone(finished: Run, capsys: pytest.CaptureFixture[str]) -> None:
    before = finished.last_checkpoint.stat().st_mtime_ns
    assert main(words(finished.folder.parents[3], "fwm_hw_ld", 8)) == 0
    assert "already finished" in capsys.readouterr().out
    assert finished.last_checkpoint.stat().st_mtime_ns == before


def test_killed_run_continues_to_the_same_weights(finished: Run, tmp_path: Path) -> None:
    """kill -9 after the second checkpoint; the continued run equals an undisturbed one bit for bit."""
    command = [sys.executable, "-m", "vjepa", *words(tmp_path, "fwm_hw_ld", 8, "--checkpoint.every_n_train_steps=2")]
    # Validation is slow enough here to be hit while the run is under way.
    process = subprocess.Popen([*command, "--trainer.limit_val_batches=4"], cwd=ROOT, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list(tmp_path.rglob("last.ckpt")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not list(tmp_path.rglob("DONE.json")), "killed too late to show anything"
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    continued, undisturbed = state(only_run(tmp_path)), state(finished)
    assert continued.keys() == undisturbed.keys()
    assert all(torch.equal(continued[key], undisturbed[key]) for key in continued)


@pytest.mark.parametrize("asked", [signal.SIGTERM, signal.SIGUSR1])
def test_a_request_to_stop_loses_no_step(asked: signal.Signals, finished: Run, tmp_path: Path) -> None:
    """Stopped between checkpoints; the continued run equals an undisturbed one bit for bit."""
    command = [sys.executable, "-m", "vjepa", *words(tmp_path, "fwm_hw_ld", 8)]
    # Validation after every fourth step is slow enough here to be hit while the run is under way.
    slow = (*command, "--trainer.limit_val_batches=4", "--trainer.val_check_interval=1")
    process = subprocess.Popen(slow, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not list(tmp_path.rglob("environment.json")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(asked)
    said = process.communicate(timeout=30)[1]
    assert process.returncode == 75 and "the same command continues" in said
    (stopped,) = tmp_path.rglob("last.ckpt")
    assert 0 < read_step(stopped) < 8
    assert not list(tmp_path.rglob("DONE.json")) and not list(tmp_path.rglob("*.ckpt.*"))
    subprocess.run(slow, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    continued, undisturbed = state(only_run(tmp_path)), state(finished)
    assert all(torch.equal(continued[key], undisturbed[key]) for key in continued)


def test_full_disk_is_said_and_nothing_is_taken_for_finished(finished: Run, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "vjepa", *words(tmp_path, "baseline", 4)]
    code = (
        "import os, resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))\n"
        f"os.execv({sys.executable!r}, {command!r})"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "file size limit" in done.stderr and "Traceback" not in done.stderr
    assert not list(tmp_path.rglob("DONE.json"))


@pytest.mark.slow
@pytest.mark.ddp
def test_two_processes_stop_at_the_same_step(tmp_path: Path) -> None:
    """Only the first process is asked."""
    extra = ("--trainer.devices=2", "--trainer.strategy=ddp", "--trainer.val_check_interval=400")
    command = [sys.executable, "-m", "vjepa", *words(tmp_path, "baseline", 400, *extra)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not list(tmp_path.rglob("events*")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1)
    process.send_signal(signal.SIGUSR1)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 75, said
    (stopped,) = tmp_path.rglob("last.ckpt")
    step = read_step(stopped)
    assert 0 < step < 400 and step % 10 == 0
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert f"continuing from {stopped}" in again.stdout
    assert read_step(stopped) == 400


@pytest.mark.slow
@pytest.mark.ddp
@pytest.mark.parametrize("variant", ["baseline", "fwm_hw_ld"])
@pytest.mark.parametrize("reading", ["as_described", "as_released"])
def test_two_processes_train_every_parameter(variant: str, reading: str, tmp_path: Path) -> None:
    extra = ("--trainer.devices=2", "--trainer.strategy=ddp", f"--model.reading={reading}")
    command = [sys.executable, "-m", "vjepa", *words(tmp_path, variant, 4, *extra)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    run = only_run(tmp_path)
    environment = json.loads(run.environment.read_text())
    assert environment["global_batch_size"] == 8
    model = load_model(run)
    started = dict(model.frozen("init").encoder.named_parameters())
    for name, parameter in model.encoder.named_parameters():
        assert torch.equal(parameter, started[name]) == (not parameter.requires_grad), name


def test_accumulation_counts_optimizer_steps(tmp_path: Path) -> None:
    assert main(words(tmp_path, "baseline", 3, "--trainer.accumulate_grad_batches=2")) == 0
    run = only_run(tmp_path)
    assert json.loads(run.done_mark.read_text())["step"] == 3
    assert json.loads(run.environment.read_text())["global_batch_size"] == 8


@pytest.mark.parametrize("verb", ["validate", "test"])
def test_held_out_losses(verb: str, finished: Run, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = words(finished.folder.parents[3], "fwm_hw_ld", 8, f"--ckpt_path={finished.last_checkpoint}")
    assert main([verb, *arguments[1:]]) == 0
    assert f"{'val' if verb == 'validate' else 'test'}/objective/prediction" in capsys.readouterr().out
