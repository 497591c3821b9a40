"""Training and evaluation on a device that is not the processor, which needs no GPU: ``tests/second_device``.

Whatever a GPU would refuse fails here, from the loader to the result files, and training is seen to wait for the device
once a logging interval. What this cannot show is the arithmetic of a GPU, its speed, and code that asks for CUDA.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from experiments.cli import main
from experiments.overlays import BASE, merged, objective_overlay, variant_names
from vjepa.corruptions import CORRUPTIONS

ROOT = Path(__file__).parents[1]
STEPS, INTERVAL = 12, 4
SMALL = (
    *("--config", str(BASE), "--config", str(objective_overlay("fwm_hw_ld")), "--model.layout=factorized"),
    *("--data.init_args.train_clips=64", "--data.init_args.val_clips=32", "--data.init_args.test_clips=32"),
    *("--data.init_args.batch_size=8", f"--trainer.max_steps={STEPS}", f"--trainer.log_every_n_steps={INTERVAL}"),
    *("--trainer.val_check_interval=1000", "--trainer.enable_model_summary=false", "--checkpoint.save_last=true"),
)


def on_second_device(folder: Path, *words: str) -> dict[str, Any]:
    """Run a verb or a check where the device is there; what it waited for or found."""
    said = folder / "waits.json"
    command = [sys.executable, "-m", "tests.second_device", str(said), *words, *(["--debug"] if words[1:] else [])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(said.read_text())  # type: ignore[no-any-return]


def run_folder(root: Path) -> Path:
    (done,) = root.rglob("DONE.json")
    return done.parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("second")


@pytest.fixture(scope="module")
def trained(folder: Path) -> dict[str, Any]:
    """A training on the device, and the same one on the processor."""
    strategy = folder / "strategy.yaml"
    strategy.write_text("trainer: {strategy: {class_path: tests.second_device.strategy.SecondStrategy}}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VJEPA_CACHE", str(folder / "cache"))
        assert main(["fit", *SMALL, "--trainer.accelerator=cpu", f"--run.root={folder / 'here'}"]) == 0
        return on_second_device(folder, "fit", *SMALL, "--config", str(strategy), f"--run.root={folder / 'away'}")


def test_the_device_waits_and_refuses_as_a_gpu_does(folder: Path) -> None:
    found = on_second_device(folder, "device")
    assert {name: waits for name, waits in found.items() if waits} == {
        "copy there": ["_to_copy"],
        "copy back": ["_to_copy"],
        "constant": ["copy_from"],
        "value": ["_local_scalar_dense"],
        "positions": ["nonzero"],
        "mask": ["index"],
        "index of the processor": ["index"],
        "two devices": ["refused"],
        "NumPy": ["refused"],
    }


def test_training_waits_once_a_logging_interval(trained: dict[str, Any]) -> None:
    waits = trained["steps"]
    assert len(waits) == STEPS
    for step, found in enumerate(waits[1:], start=2):  # before the first step, everything is sent there
        assert len(found) == (step % INTERVAL == 0), f"step {step} waited for {found}"


def test_training_is_that_of_the_processor(trained: dict[str, Any], folder: Path) -> None:
    here, away = (
        torch.load(run_folder(folder / where) / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for where in ("here", "away")
    )
    assert here.keys() == away.keys()
    for name, value in here.items():
        torch.testing.assert_close(away[name], value, atol=1e-4, rtol=1e-3, msg=name)


@pytest.mark.slow
def test_a_step_of_every_variant_runs_there_without_a_wait(folder: Path) -> None:
    waits = on_second_device(folder, "steps")
    assert set(waits) == set(variant_names())
    for name, found in waits.items():
        # Masks that motion guides are drawn by the processor, from a map of the same clips.
        guided = merged(name)["model"]["masker"].get("motion") is not None
        assert found == ["_to_copy"] * guided, name


def test_every_corruption_is_that_of_the_processor(folder: Path) -> None:
    found = on_second_device(folder, "corruptions")
    assert found == {name: [0, 0] for name in CORRUPTIONS}


LABEL_FREE = {"centred_drift", "temporal_gradient_drift", "predictor_surprise", "mean_pairwise_cosine", "feature_std"}


def rows(folder: Path) -> dict[tuple[str, ...], float]:
    lines = map(json.loads, (folder / "glyphs" / "results.jsonl").read_text().splitlines())
    keys = ("weights", "subspace", "corruption", "severity", "metric", "benchmark")
    return {
        tuple(str(row[key]) for key in keys): row["value"]
        for row in lines
        if row["metric"] in LABEL_FREE and not row["subspace"].startswith("pca")  # of few clips, no basis is sure
    }


@pytest.mark.slow
def test_robustness_is_that_of_the_processor(
    trained: dict[str, Any], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VJEPA_CACHE", str(folder / "cache"))
    few = ("--num-train=32", "--num-val=16", "--num-test=16", "--probes=linear_time,knn", "--profile=core")
    words = ("robustness", str(run_folder(folder / "here")), *few)
    found = []
    for device in ("second", "cpu"):
        out = folder / f"core-{device}"
        options = (f"--device={device}", f"--out={out}", f"--cache={out / 'cache'}")
        if device == "second":
            on_second_device(folder, *words, *options)
        else:
            assert main([*words, *options]) == 0
        found.append(rows(out))
    away, here = found
    assert away.keys() == here.keys() and len(here) > 50
    for key, value in here.items():
        assert away[key] == pytest.approx(value, abs=1e-3, rel=1e-2), key


@pytest.mark.slow
def test_every_kind_of_probe_is_fitted_there(
    trained: dict[str, Any], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VJEPA_CACHE", str(folder / "cache"))
    probes = "linear_mean,attentive_quick,knn,study_pooled_attentive,study_linear_mean"
    few = ("--num-train=32", "--num-val=16", "--num-test=16", "--subspaces=levels,within_level.app")
    out = folder / "probes"
    words = (f"--probes={probes}", "--device=second", f"--out={out}", f"--cache={out / 'cache'}")
    on_second_device(folder, "probe", str(run_folder(folder / "here")), *few, *words)
    lines = map(json.loads, (out / "glyphs" / "results.jsonl").read_text().splitlines())
    assert {row["probe"] for row in lines} >= set(probes.split(","))
