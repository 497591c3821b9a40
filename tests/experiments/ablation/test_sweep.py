"""Sweeps: which cells an ablation gets, what they are called, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.ablation.cells import Cell
from experiments.ablation.check import check_cells
from experiments.ablation.plan import plan_cells
from experiments.ablation.spec import Ablation, Grid
from experiments.ablation.sweep import Sweep, combinations, parse_sweep, swept_name
from vjepa.errors import UserError

MODEL = {"objectives": {"latent_dynamics": {"weight": 1.0}, "hard_region": None}, "masker": {"motion": None}, "lr": 1}


def plan(tmp_path: Path, variants: str, *sweeps: str, readings: str = "as_described") -> list[Cell]:
    grid = Grid(tuple(variants.split(",")), tuple(readings.split(",")), (0,), sweeps)
    return plan_cells(Ablation((grid,), str(tmp_path)))


def test_reads_key_and_values() -> None:
    typed = "objectives.latent_dynamics.weight=0.1,0.3,0.1"
    assert parse_sweep(typed) == Sweep(typed, "objectives.latent_dynamics.weight", ("0.1", "0.3"))
    assert parse_sweep("ld:model.app_ratio=0.25").variant == "ld"
    assert parse_sweep("ld:model.app_ratio=0.25").key == "app_ratio"
    assert parse_sweep("target.momentum=[0.9,1.0],[0.99,1.0]").values == ("[0.9,1.0]", "[0.99,1.0]")


@pytest.mark.parametrize("text", ["weight", "=1", "lr=", "lr=1,", "lr=a/b", "lr=a b", "ld:=1"])
def test_refuses_what_it_cannot_read(text: str) -> None:
    with pytest.raises(UserError, match=r"expected \[VARIANT:\]KEY=VALUE"):
        parse_sweep(text)


@pytest.mark.parametrize("key", ["reading", "seed", "preset", "model.patch_size"])
def test_refuses_what_an_ablation_sets_or_cannot_compare(key: str) -> None:
    with pytest.raises(UserError, match=key.removeprefix("model.")):
        parse_sweep(f"{key}=1")


def test_sweeps_make_a_grid() -> None:
    sweeps = [parse_sweep("objectives.latent_dynamics.weight=0.1,1"), parse_sweep("lr=1,2"), parse_sweep("hw:lr=3")]
    found = [swept_name("ld", settings) for settings in combinations(sweeps, "ld", MODEL)]
    assert found == [
        "ld@latent_dynamics.weight=0.1@lr=1", "ld@latent_dynamics.weight=0.1@lr=2",
        "ld@latent_dynamics.weight=1@lr=1", "ld@latent_dynamics.weight=1@lr=2",
    ]  # fmt: skip
    assert combinations([parse_sweep("hw:lr=3")], "ld", MODEL) == [()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("objectives.hard_region.weight=1", "variant ld has no objectives.hard_region"),
        ("masker.motion.strength=1", "variant ld has no masker.motion"),
        ("objectives.latent_dynamic.weight=1", "did you mean 'latent_dynamics'?"),
        ("lr.weight=1", "unknown key"),
    ],
)
def test_a_term_that_the_variant_lacks_is_named(text: str, expected: str) -> None:
    with pytest.raises(UserError) as error:
        combinations([parse_sweep(text)], "ld", MODEL)
    assert expected in str(error.value)


def test_the_same_key_twice_is_refused() -> None:
    with pytest.raises(UserError, match="lr is given twice for ld"):
        combinations([parse_sweep("lr=1"), parse_sweep("ld:lr=2")], "ld", MODEL)


def test_each_value_is_a_cell_with_a_folder_and_an_identity(tmp_path: Path) -> None:
    cells = plan(
        tmp_path, "baseline,ld", "ld:objectives.latent_dynamics.weight=0.1,0.3", readings="as_described,as_released"
    )
    assert [cell.variant for cell in cells] == ["baseline"] * 2 + [
        f"ld@latent_dynamics.weight={weight}" for weight in ("0.1", "0.3") for _ in range(2)
    ]
    assert len({cell.run.config_hash for cell in cells}) == 6
    assert cells[2].run.folder.parts[-3:-1] == ("ld@latent_dynamics.weight=0.1", "as_described")
    assert cells[2].settings["model"]["objectives"]["latent_dynamics"]["weight"] == 0.1


def test_a_bad_cell_is_refused_before_the_first_one_trains(tmp_path: Path) -> None:
    cells = plan(tmp_path, "motion_guided,fwm", "fwm:layout=whole")
    with pytest.raises(UserError, match=r"fwm@layout=whole as_described: objectives\.\w+ needs layout"):
        check_cells(cells)


def test_null_takes_a_term_away(tmp_path: Path) -> None:
    baseline, cell = plan(tmp_path, "fwm_hw_ld", "objectives.latent_dynamics=null")
    assert baseline.variant == "baseline" and cell.variant == "fwm_hw_ld@latent_dynamics=null"


def test_refused_before_anything_is_trained(tmp_path: Path) -> None:
    for sweep, expected in (
        ("objectives.latent_dynamics.weight=0.1", "variant baseline has no objectives.latent_dynamics"),
        ("hw:objectives.hard_region.weight=0.1", "unknown variant of --set"),
        ("ld:objectives.latent_dynamics.weight=-1", "ld@latent_dynamics.weight=-1 as_described: objectives.latent_"),
        ("ld:objectives.latent_dynamics.weight=heavy", "weight"),
    ):
        with pytest.raises(UserError) as error:
            check_cells(plan(tmp_path, "baseline,ld", sweep))
        assert expected in str(error.value)
    assert not list(tmp_path.iterdir())
