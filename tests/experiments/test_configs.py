"""Every YAML that ships parses, instantiates, and resolves to what it resolved to before."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from experiments.lightning_cli import resolve_run, resolve_settings
from experiments.load import instantiate
from experiments.study import BASE, CONFIGS, variant_names
from vjepa.module import FactorizedVideoJEPA, VideoJEPA
from vjepa.objectives import REGISTRY

SNAPSHOTS = Path(__file__).parent / "snapshots"
OVERLAYS = sorted(path for path in CONFIGS.rglob("*.yaml") if path != BASE)
OBJECTIVE = CONFIGS / "objective"


def options(*overlays: Path, extra: tuple[str, ...] = ()) -> list[str]:
    return [word for path in (BASE, *overlays) for word in ("--config", str(path))] + list(extra)


def resolved(*overlays: Path, extra: tuple[str, ...] = ()) -> dict[str, Any]:
    return resolve_settings(options(*overlays, extra=extra))


def terms(settings: dict[str, Any]) -> dict[str, float]:
    found = settings["model"]["objectives"]
    return {name: term["weight"] for name, term in found.items() if term is not None}


@pytest.mark.parametrize("overlay", [BASE, *OVERLAYS], ids=lambda path: path.stem)
def test_ships_in_working_order(overlay: Path) -> None:
    settings = resolved(*([] if overlay == BASE else [overlay]))
    model = instantiate(settings, "model", overlay.name)
    data = instantiate(settings, "data", overlay.name)
    assert isinstance(model, VideoJEPA) and data.name == "glyphs"
    assert isinstance(model, FactorizedVideoJEPA) == (settings["model"]["layout"] != "whole")
    told = {key: settings[key] for key in ("seed_everything", "run", "model", "data")}
    told["trainer"] = {key: settings["trainer"][key] for key in ("max_steps", "precision", "val_check_interval")}
    snapshot = SNAPSHOTS / f"{overlay.stem}.yaml"
    if os.environ.get("VJEPA_UPDATE_SNAPSHOTS"):
        SNAPSHOTS.mkdir(exist_ok=True)
        snapshot.write_text(yaml.safe_dump(told, sort_keys=True))
    assert yaml.safe_load(snapshot.read_text()) == told, "VJEPA_UPDATE_SNAPSHOTS=1 accepts an intended change"


@pytest.mark.parametrize("overlay", [BASE, *OVERLAYS], ids=lambda path: path.stem)
def test_starts_with_purpose_and_command(overlay: Path) -> None:
    head = "".join(line for line in overlay.read_text().splitlines(keepends=True) if line.startswith("#"))
    assert head.startswith("# ") and any(word in head for word in ("vjepa fit", "vjepa study", "make demo"))


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


def test_every_objective_is_a_field() -> None:
    assert set(resolved()["model"]["objectives"]) == set(REGISTRY)
