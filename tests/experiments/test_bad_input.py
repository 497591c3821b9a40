"""Bad input from the command line: one clear message, the right exit code, no traceback, nothing written."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
import torch

from experiments.cli import main
from experiments.overlays import BASE, CONFIGS

FIT = ("fit", "--config", str(BASE))
GLYPHS = ("--data.init_args.train_clips=16", "--data.init_args.val_clips=8", "--data.init_args.test_clips=8")
LIST = ("--data", "data_modules.VideoListDataModule")

CASES: list[tuple[tuple[str, ...], tuple[str, ...]]] = [
    # verbs and options
    ((), ("usage",)),
    (("fitt",), ("fitt", "did you mean 'fit'")),
    (("probe",), ("RUN",)),
    (("robustness",), ("RUN",)),
    (("export", "nowhere"), ("--out",)),
    (("bench", "speed"), ("speed", "train")),
    (("prepare", "cifar"), ("cifar", "glyphs")),
    (("variants", "fwm_hw_dl"), ("fwm_hw_dl", "fwm_hw_ld")),
    (("variants", "--regime", "mixd"), ("mixd", "mixed")),
    (("docs", "nothing"), ("nothing", "objectives")),
    # configurations
    (("fit", "--config", "missing.yaml"), ("missing.yaml",)),
    (("fit", "--config", "{broken_yaml}"), ("broken.yaml",)),
    (("fit", "--config", "{empty_folder}"), ("{empty_folder}",)),
    ((*FIT, "--config", "{unknown_key}"), ("modle", "model")),
    ((*FIT, "--model.prest=tiny"), ("prest",)),
    ((*FIT, "--model.preset=tinny"), ("tinny", "tiny")),
    ((*FIT, "--model.patch_size=big"), ("patch_size",)),
    ((*FIT, "--model.reading=as_relased"), ("as_relased", "as_released")),
    ((*FIT, "--model.layout=halves"), ("halves", "within_level")),
    ((*FIT, "--model.layout=within_level", "--model.app_ratio=1.5"), ("app_ratio", "1.5")),
    ((*FIT, "--model.loss_exponent=0"), ("loss_exponent", "> 0")),
    ((*FIT, "--model.image_frames=3"), ("image_frames", "multiple")),
    ((*FIT, "--model.image_mode=twice"), ("twice",)),
    ((*FIT, *GLYPHS, "--model.rope=v2", "--model.image_mode=single"), ("model.rope v2", "image embedding")),
    ((*FIT, "--model.target.kind=mea"), ("mea", "ema")),
    ((*FIT, "--model.target.momentum=[0.9,2.0]"), ("momentum", "[0, 1]")),
    ((*FIT, "--model.target.kind=self", "--model.target.evaluate=teacher"), ("teacher", "online")),
    ((*FIT, "--model.predictor.num_mask_tokens=1"), ("num_mask_tokens", "2 masks")),
    ((*FIT, "--model.masker.masks=[]"), ("masks",)),
    ((*FIT, "--model.masker.trim=last"), ("last", "first")),
    ((*FIT, "--model.masker.masks=[{{num_blocks: 0}}]"), ("num_blocks",)),
    ((*FIT, "--model.masker.masks=[{{spatial_scale: [0.9, 0.2]}}]"), ("spatial_scale",)),
    ((*FIT, "--model.objectives.latent_dynamcs.weight=1"), ("latent_dynamcs",)),
    ((*FIT, "--model.objectives.prediction=null", "--model.objectives.context=null"), ("no term",)),
    ((*FIT, "--model.objectives.static.weight=1"), ("static", "layout")),
    ((*FIT, "--model.objectives.hard_region.temperature=0"), ("temperature", "> 0")),
    ((*FIT, "--collapse.max_tokens=1"), ("collapse.max_tokens", "2")),
    ((*FIT, "--guard.patience=0"), ("guard.patience", "1")),
    ((*FIT, "--pictures.num_clips=0"), ("pictures.num_clips",)),
    ((*FIT, "--probe.every_n_steps=-1"), ("probe.every_n_steps",)),
    ((*FIT, "--robustness.profile=cor"), ("cor", "core")),
    ((*FIT, "--subspaces.num_splits=0"), ("subspaces.num_splits",)),
    ((*FIT, "--run.variant=a/b"), ("run.variant", "a/b")),
    ((*FIT, *GLYPHS, "--trainer.max_steps=-1"), ("max_steps",)),
    ((*FIT, "--trainer.max_stps=3"), ("max_stps",)),
    # data
    ((*FIT, "--data=NoSuchDataModule"), ("NoSuchDataModule",)),
    ((*FIT, "--data.init_args.batch_size=0"), ("batch_size",)),
    ((*FIT, "--data.init_args.size=7"), ("size",)),
    ((*FIT, "--data", "data_modules.UCF101DataModule", "--data.init_args.root={empty_folder}"), ("ucf101",)),
    # checkpoints
    ((*FIT, *GLYPHS, "--ckpt_path=missing.ckpt"), ("missing.ckpt",)),
    ((*FIT, *GLYPHS, "--ckpt_path={torn}"), ("torn.ckpt",)),
    ((*FIT, *GLYPHS, "--ckpt_path={foreign}"), ("foreign.ckpt",)),
    ((*FIT, *GLYPHS, "--ckpt_path={pickled}"), ("pickled.ckpt",)),
    # weights of others
    ((*FIT, *GLYPHS, "--model.init_from=missing.pt"), ("missing.pt", "no such file")),
    ((*FIT, *GLYPHS, "--model.init_from={torn}"), ("torn.ckpt", "is torn")),
    (
        (*FIT, *GLYPHS, "--model.init_from={foreign}"),
        ("foreign.ckpt", "holds the entries weights", "official V-JEPA 2"),
    ),
    ((*FIT, *GLYPHS, "--model.init_from={pickled}"), ("pickled.ckpt", "mkdir", "refused")),
    (("probe", "{pickled}", "--benchmark=glyphs", "--out=out"), ("pickled.ckpt", "mkdir", "refused")),
    (("probe", "{foreign}"), ("foreign.ckpt", "--benchmark")),
    (("probe", "weights:missing.pt", "--benchmark=glyphs", "--out=out"), ("missing.pt", "no such file")),
    # runs, ablations, results
    (("probe", "nowhere"), ("nowhere", "no run")),
    (("probe", "{empty_folder}"), ("{empty_folder}", "no run")),
    (("robustness", "nowhere", "--profile", "cor"), ("cor",)),
    (("robustness", "nowhere", "--without", "colours"), ("colours",)),
    (("export", "nowhere", "--out", "x.safetensors"), ("nowhere", "no run")),
    (("report", "nowhere"), ("nowhere",)),
    (("results", "nowhere"), ("nowhere",)),
    (("claims", "nowhere"), ("nowhere",)),
    (("ablation", "--variants", "fwm_hw_dl", "--out", "out"), ("fwm_hw_dl", "did you mean 'fwm_hw_ld'")),
    (("ablation", "--seeds", "", "--out", "out"), ("seed",)),
    (("ablation", "--seeds", "one", "--out", "out"), ("one",)),
    (("ablation", "--readings", "as_told", "--out", "out"), ("as_told",)),
    (("ablation", "--data", "cifar", "--out", "out"), ("cifar",)),
    (("ablation", "--profile", "cor", "--out", "out"), ("cor",)),
    (("ablation", "--set", "objectives.latent_dynamics", "--out", "out"), ("objectives.latent_dynamics",)),
    (("ablation", "--jobs", "0", "--out", "out"), ("jobs",)),
]


class Code:
    """What a stranger's pickle does when it is trusted."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("ran",)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Broken things by name, and an empty folder to work in."""
    things = tmp_path / "things"
    things.mkdir()
    (things / "broken.yaml").write_text("model: [1,\n  preset: {tiny")
    (things / "unknown.yaml").write_text("modle:\n  preset: tiny\n")
    (things / "empty").mkdir()
    (things / "torn.ckpt").write_bytes(b"PK\x03\x04 and no more")
    torch.save({"weights": torch.zeros(2)}, things / "foreign.ckpt")
    torch.save(Code(), things / "pickled.ckpt")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    # Lightning's logger keeps the stream of the first test that it met, which is closed in the next.
    monkeypatch.setattr(logging, "raiseExceptions", False)
    monkeypatch.setenv("VJEPA_CACHE", str(tmp_path / "cache"))
    names = {"broken_yaml": "broken.yaml", "unknown_key": "unknown.yaml", "empty_folder": "empty"}
    names |= {name: f"{name}.ckpt" for name in ("torn", "foreign", "pickled")}
    return {name: str(things / file) for name, file in names.items()}


@pytest.mark.parametrize(("words", "told"), CASES, ids=lambda value: " ".join(value).replace(str(CONFIGS), "")[-60:])
def test_is_told_in_one_message(
    words: tuple[str, ...], told: tuple[str, ...], made: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = main([word.format(**made) for word in words])
    except SystemExit as stop:  # how argparse ends
        code = int(stop.code or 0)
    said = capsys.readouterr()
    text = said.err if words else said.out
    assert code == 2, text
    assert "Traceback" not in text
    for part in told:
        assert part.format(**made) in text, text
    assert not list(Path.cwd().rglob("*")), "something was written"


def test_cases_are_many() -> None:
    assert len(CASES) >= 60
