"""Every YAML that ships parses, instantiates, and resolves to what it resolved to before."""

from __future__ import annotations

import os
from copy import deepcopy
from functools import lru_cache
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from experiments.load import instantiate
from experiments.messages import import_class
from experiments.overlays import BASE, CONFIGS, leaves, objective_overlay, regime_names, regime_overlay, variant_names
from experiments.published import PublishedConfig, configs
from experiments.runs import config_hash
from experiments.training.resolve import resolve_run, resolve_settings
from vjepa.module import FactorizedVideoJEPA, VideoJEPA
from vjepa.objectives import REGISTRY

SNAPSHOTS = Path(__file__).parent / "snapshots"
OVERLAYS = sorted(path for path in CONFIGS.rglob("*.yaml") if path != BASE)
OBJECTIVE = CONFIGS / "objective"
EVALUATION = ("probe", "robustness", "stability", "order", "subspaces")
TRAINER = ("max_steps", "precision", "val_check_interval", "accumulate_grad_batches", "devices")
STEPS = {"mixed": 30_000, "ucf101": 30_000, "ucf101_2gpu": 60_000, "synth": 5_000}


def options(*overlays: Path, extra: tuple[str, ...] = ()) -> list[str]:
    return [word for path in (BASE, *overlays) for word in ("--config", str(path))] + list(extra)


@lru_cache
def _resolved(overlays: tuple[Path, ...], extra: tuple[str, ...]) -> dict[str, Any]:
    return resolve_settings(options(*overlays, extra=extra))


def resolved(*overlays: Path, extra: tuple[str, ...] = ()) -> dict[str, Any]:
    """The resolved configuration; parsed once, for the caller to change."""
    return deepcopy(_resolved(overlays, extra))


def terms(settings: dict[str, Any]) -> dict[str, float]:
    found = settings["model"]["objectives"]
    return {name: term["weight"] for name, term in found.items() if term is not None}


def told(*overlays: Path) -> dict[str, Any]:
    """What an experiment is, by dotted key; options that are off are left out."""
    settings = resolved(*overlays)
    chosen = {key: settings[key] for key in ("seed_everything", "run", "model", "data", *EVALUATION)}
    chosen["trainer"] = {key: settings["trainer"][key] for key in TRAINER}
    return {key: value for key, value in leaves(chosen) if value is not None}


def made(settings: dict[str, Any], source: str) -> VideoJEPA:
    """The model without its numbers: shapes and switches are settled, no weight is drawn."""
    with torch.device("meta"):
        model = instantiate(settings, "model", source)
    assert isinstance(model, VideoJEPA)
    return model


@pytest.mark.parametrize("overlay", [BASE, *OVERLAYS], ids=lambda path: path.stem)
def test_ships_in_working_order(overlay: Path) -> None:
    settings = resolved(*([] if overlay == BASE else [overlay]))
    model = made(settings, overlay.name)
    assert isinstance(instantiate(settings, "data", overlay.name), import_class(settings["data"]["class_path"]))
    assert isinstance(model, FactorizedVideoJEPA) == (settings["model"]["layout"] != "whole")
    base, ours = told(), told(*([] if overlay == BASE else [overlay]))
    changed = {key: value for key, value in ours.items() if overlay == BASE or base.get(key) != value}
    absent = sorted(base.keys() - ours.keys())
    snapshot = SNAPSHOTS / f"{overlay.stem}.yaml"
    if os.environ.get("VJEPA_UPDATE_SNAPSHOTS"):
        SNAPSHOTS.mkdir(exist_ok=True)
        snapshot.write_text(yaml.safe_dump({"changed": changed, "absent": absent}, sort_keys=True))
    kept = yaml.safe_load(snapshot.read_text())
    assert kept == {"changed": changed, "absent": absent}, "VJEPA_UPDATE_SNAPSHOTS=1 accepts an intended change"


def test_no_snapshot_is_left_behind() -> None:
    assert {path.stem for path in SNAPSHOTS.glob("*.yaml")} == {path.stem for path in (BASE, *OVERLAYS)}


@pytest.mark.parametrize("overlay", [BASE, *OVERLAYS], ids=lambda path: path.stem)
def test_starts_with_purpose_and_command(overlay: Path) -> None:
    text = overlay.read_text()
    head = "".join(line for line in text.splitlines(keepends=True) if line.startswith("#"))
    assert head.startswith("# ") and any(
        word in head for word in ("vjepa fit", "vjepa test", "vjepa ablation", "make demo")
    )
    assert overlay.name in head or overlay.stem == "demo"
    assert not any(str(value).startswith(("/", "~")) for _, value in leaves(yaml.safe_load(text))), "an absolute path"


def test_objectives_and_regimes_say_what_to_expect() -> None:
    assert all(
        "Expect" in path.read_text() for folder in ("objective", "regime") for path in (CONFIGS / folder).iterdir()
    )


@pytest.mark.parametrize("config", configs(), ids=lambda config: config.config)
def test_every_configuration_of_the_study_is_base_regime_and_objective(config: PublishedConfig) -> None:
    settings = resolved(regime_overlay(config.regime), objective_overlay(config.objective))
    trainer, data, model = settings["trainer"], settings["data"]["init_args"], settings["model"]
    assert settings["run"]["variant"] == config.objective and settings["run"]["regime"] == config.regime
    assert trainer["devices"] * trainer["accumulate_grad_batches"] == config.processes
    assert (data["batch_size"], trainer["max_steps"]) == (8, STEPS[config.regime])
    assert (data["num_frames"], data["size"]) == ((8, 128) if config.regime == "synth" else (16, 224))
    assert model["predictor"]["num_mask_tokens"] == (6 if config.regime == "mixed" else 2)
    for reading in ("as_described", "as_released"):
        chosen = deepcopy(settings)
        chosen["model"]["reading"] = reading
        module = made(chosen, config.config)
        module.check_batch(data["batch_size"], data["num_frames"])
        assert module.encoder.preset.width == 768


@pytest.mark.parametrize("regime", regime_names())
def test_regimes_optimise_as_the_study_did(regime: str) -> None:
    settings = resolved(regime_overlay(regime))
    optimizer = settings["model"]["optimizer"]
    warmup = {"ucf101_2gpu": 600, "synth": 50}.get(regime, 300)
    expected = {"lr_start": 1e-4, "lr": 6e-4, "lr_final": 6e-4, "warmup_steps": warmup}
    expected |= {"weight_decay": 0.04, "weight_decay_final": 0.04}
    assert {key: optimizer[key] for key in expected} == expected
    assert settings["model"]["target"]["momentum"] == [0.99925, 0.99925]
    assert settings["trainer"]["precision"] == "bf16-mixed" and settings["seed_everything"] == 239


def test_slots_compose_in_any_order_and_with_the_study_preset() -> None:
    overlays = (OBJECTIVE / "kinematic.yaml", OBJECTIVE / "motion_future.yaml", CONFIGS / "study" / "glyphs.yaml")
    found = [resolved(*order) for order in permutations(overlays)]
    for settings in found:
        settings["run"].pop("variant")
        assert settings == found[0]
    assert found[0]["model"]["target"]["kind"] == "self"
    assert [mask["num_blocks"] for mask in found[0]["model"]["masker"]["masks"]] == [4, 1]
    assert found[0]["model"]["masker"]["future"] == {"temporal_keep": 0.5, "block_ratio": 0.5}


def test_the_reading_of_a_run_is_that_of_its_data() -> None:
    released = resolved(regime_overlay("ucf101"), extra=("--model.reading=as_released",))
    assert released["data"]["init_args"]["reading"] == "as_released"
    assert "reading" not in resolved(extra=("--model.reading=as_released",))["data"]["init_args"]


def test_a_variant_is_a_file_and_carries_its_name() -> None:
    assert variant_names()[0] == "baseline"
    for name in variant_names():
        assert resolved(OBJECTIVE / f"{name}.yaml")["run"]["variant"] == name


def test_overlays_merge_in_any_order() -> None:
    weights = {"prediction": 1.0, "context": 0.5, "hard_region": 0.3, "latent_dynamics": 1.0}
    one, other = (OBJECTIVE / "hw.yaml", OBJECTIVE / "ld.yaml")
    assert terms(resolved(one, other)) == terms(resolved(other, one)) == weights


def test_null_removes_a_term_and_flags_come_last(tmp_path: Path) -> None:
    without = tmp_path / "without.yaml"
    without.write_text("model: {objectives: {context: null}}\n")
    settings = resolved(OBJECTIVE / "hw.yaml", without, extra=("--model.objectives.hard_region.temperature=0.1",))
    assert terms(settings) == {"prediction": 1.0, "hard_region": 0.3}
    assert settings["model"]["objectives"]["hard_region"]["temperature"] == 0.1
    added = resolved(extra=("--model.objectives.latent_dynamics.weight=0.7",))
    assert terms(added)["latent_dynamics"] == 0.7


def test_one_seed_rules_weights_masks_and_order() -> None:
    settings = resolved(extra=("--seed_everything=7",))
    assert settings["model"]["seed"] == settings["data"]["init_args"]["seed"] == 7


def test_hash_names_the_experiment_and_not_the_place(tmp_path: Path) -> None:
    first = resolve_run(options(extra=("--trainer.max_steps=9",)))
    moved = resolve_run(
        options(extra=("--trainer.max_steps=9", f"--run.root={tmp_path}", "--trainer.enable_progress_bar=false"))
    )
    other = resolve_run(options(extra=("--trainer.max_steps=9", "--model.optimizer.lr=0.001")))
    assert first.config_hash == moved.config_hash != other.config_hash
    assert first.folder.parts[-4:-1] == ("glyphs", "baseline", "as_described")
    assert moved.folder.name == f"seed0-{first.config_hash[:8]}"


def test_an_option_that_is_off_changes_no_hash() -> None:
    settings = resolved()
    later = deepcopy(settings)
    later["model"]["objectives"]["not_yet_invented"] = None
    later["model"]["masker"]["masks"][0]["not_yet_invented"] = None
    assert config_hash(later) == config_hash(settings)
    later["model"]["objectives"]["not_yet_invented"] = {"weight": 0.0}
    assert config_hash(later) != config_hash(settings)


def test_every_objective_is_a_field() -> None:
    assert set(resolved()["model"]["objectives"]) == set(REGISTRY)
