"""Bad input gives one message with the nearest name, exit code 2, and writes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import experiments.training.lightning_cli  # noqa: F401  Lightning's log handler must not be born inside a captured test
from experiments.cli import main
from experiments.overlays import BASE


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder with a cache of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VJEPA_CACHE", str(tmp_path / "cache"))
    return tmp_path


def fit(*words: str) -> list[str]:
    return ["fit", "--config", str(BASE), *words]


BAD_FLAGS = {
    "unknown key": (["--model.presett", "tiny"], "did you mean 'model.preset'?"),
    "unknown term": (["--model.objectives.latent_dynamic.weight", "1"], "did you mean 'latent_dynamics'?"),
    "unknown data key": (["--data.init_args.batch", "3"], "did you mean 'batch_size'?"),
    "wrong type": (["--model.optimizer.lr", "fast"], "model.optimizer.lr"),
    "wrong choice": (["--model.layout", "factorised"], "factorized"),
    "unknown class": (["--data.class_path", "data_modules.GlyphDataModule"], "did you mean 'GlyphsDataModule'?"),
    "class without its package": (["--data.class_path", "GlyphDataModule"], "did you mean 'GlyphsDataModule'?"),
    "unknown preset": (["--model.preset", "tinny"], "did you mean 'tiny'?"),
    "unknown reading": (["--model.reading", "as_told"], "as_described"),
    "negative weight": (["--model.objectives.hard_region.weight", "-1"], "hard_region.weight -1"),
    "term without its layout": (["--model.objectives.static.weight", "0.1"], "layout"),
    "empty subspace": (["--model.layout", "factorized", "--model.app_ratio", "0"], "app_ratio 0"),
    "missing checkpoint": (["--ckpt_path", "nowhere.ckpt"], "nowhere.ckpt"),
    "variant with a slash": (["--run.variant", "a/b"], "a/b"),
    "negative strength": (["--model.masker.motion.strength", "-1"], "masker motion.strength -1.0"),
    "no future": (["--model.masker.future.temporal_keep", "0"], "masker future.temporal_keep 0.0"),
    "batch of another size than the time steps": (
        ["--model.masker.motion.norm", "broadcast_time", "--trainer.max_steps", "1"], "32 samples of 4 time steps",
    ),
    "no length": (["--trainer.max_steps", "-1"], "max_steps"),
    "no such device": (["--trainer.accelerator", "cuda", "--trainer.max_steps", "1"], "CUDA"),
    "clips too small": (["--data.init_args.size", "8", "--trainer.max_steps", "1"], "size"),
}  # fmt: skip


if torch.cuda.is_available():
    del BAD_FLAGS["no such device"]


@pytest.mark.parametrize(("words", "expected"), BAD_FLAGS.values(), ids=BAD_FLAGS)
def test_bad_flag(words: list[str], expected: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(fit(*words)) == 2
    told = capsys.readouterr().err
    assert expected in told and "Traceback" not in told
    assert len([line for line in told.splitlines() if line.startswith("error: ")]) == 1
    assert not list(here.iterdir())


BAD_YAML = {
    "typo in a section": ("model:\n  objectves:\n    hard_region: {weight: 1}\n", "did you mean 'model.objectives'?"),
    "typo in a term": ("model:\n  objectives:\n    hard_region: {wight: 1}\n", "did you mean 'weight'?"),
    "typo in an empty term": (
        "model:\n  objectives:\n    latent_dynamcs: {}\n", "did you mean 'model.objectives.latent_dynamics'?",
    ),
    "typo in an empty section": ("model:\n  optimzer: {}\n", "did you mean 'model.optimizer'?"),
    "typo in an empty section of a callback": ("probe:\n  benchmark: {}\n", "did you mean 'probe.benchmarks'?"),
    "typo in an empty value of data": ("data:\n  init_args:\n    batchsize: {}\n", "did you mean 'batch_size'?"),
    "typo in a bare section": ("trianer:\n", "did you mean 'trainer'?"),
    "bare section": ("trainer:\n", "over.yaml: trainer holds nothing"),
    "bare section within one": ("model:\n  preset: tiny\n  optimizer:\n", "model.optimizer holds nothing"),
    "nothing but a comment": ("# to come\n", "over.yaml holds nothing"),
    "not YAML": ("model: [\n", "YAML"),
    "not a mapping": ("- 1\n- 2\n", "over.yaml"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), BAD_YAML.values(), ids=BAD_YAML)
def test_bad_yaml(text: str, expected: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    overlay = here / "over.yaml"
    overlay.write_text(text)
    assert main(fit("--config", str(overlay))) == 2
    told = capsys.readouterr().err
    assert expected in told and "Traceback" not in told
    assert list(here.iterdir()) == [overlay]


def test_missing_file(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(fit("--config", "nosuch.yaml")) == 2
    assert "nosuch.yaml" in capsys.readouterr().err
    overlay = BASE.parent / "objective" / "fwm_hw_ld.yaml"
    assert main(fit("--config", str(overlay.with_name("fwm_hw_dl.yaml")))) == 2
    assert f"did you mean '{overlay}'?" in capsys.readouterr().err


def test_unknown_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fitt"]) == 2
    assert "did you mean 'fit'?" in capsys.readouterr().err


def test_ablation_names_the_nearest_variant(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ablation", "--variants", "fwm_hw_dl", "--out", "out"]) == 2
    assert "did you mean 'fwm_hw_ld'?" in capsys.readouterr().err
    assert not list(here.iterdir())


def test_ablation_needs_seeds(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ablation", "--seeds", "", "--out", "out"]) == 2
    assert main(["ablation", "--seeds", "one", "--out", "out"]) == 2
    assert "--seeds" in capsys.readouterr().err


def test_report_of_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "nowhere"]) == 2
    assert "ablation.json" in capsys.readouterr().err


def test_debug_shows_the_traceback(here: Path) -> None:
    with pytest.raises(Exception, match="tinny"):
        main(fit("--model.preset", "tinny", "--debug"))


def test_help_lists_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    told = capsys.readouterr().out
    assert all(verb in told for verb in ("fit", "validate", "test", "demo", "study", "report", "prepare", "variants"))


def test_variants_lists_what_ships(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["variants"]) == 0
    assert "fwm_hw_ld" in capsys.readouterr().out
