"""Plans: which cells there are, that each is exactly what vjepa fit would make of the same options, what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from experiments.ablation.check import check_cells, check_names
from experiments.ablation.groups import expand
from experiments.ablation.plan import plan_cells
from experiments.ablation.record import write_record
from experiments.ablation.resolve import options_of
from experiments.ablation.spec import Ablation, Grid, load, save
from experiments.overlays import BASE, CONFIGS, objective_overlay
from experiments.training.resolve import resolve_run, resolve_settings
from vjepa.errors import UserError

BOTH = ("as_described", "as_released")


def ablation(out: Path, *variants: str, readings: tuple[str, ...] = BOTH, seeds: tuple[int, ...] = (0, 3)) -> Ablation:
    return Ablation((Grid(variants, readings, seeds),), str(out))


@pytest.mark.parametrize(("data", "variant"), [("glyphs", "fwm_hw_ld"), ("mixed", "kinematic")])
def test_derived_cells_are_what_the_parser_makes_of_them(tmp_path: Path, data: str, variant: str) -> None:
    asked = replace(ablation(tmp_path, variant), data=data)
    cells = {(cell.variant, cell.reading, cell.seed): cell for cell in plan_cells(asked)}
    cell = cells[variant, "as_released", 3]
    options = [*options_of(asked, variant), "--model.reading=as_released", "--seed_everything=3"]
    assert resolve_settings([*options, "--probe.controls=false"]) == cell.settings
    assert resolve_run(options) == cell.run


def test_run_of_a_cell_is_that_of_the_plain_command(tmp_path: Path) -> None:
    cell = plan_cells(ablation(tmp_path, "ld", readings=("as_described",), seeds=(1,)))[1]
    files = (BASE, CONFIGS / "study" / "glyphs.yaml", objective_overlay("ld"))
    words = [word for path in files for word in ("--config", str(path))]
    assert resolve_run([*words, "--seed_everything=1"]).config_hash == cell.run.config_hash


def test_controls_are_judged_once_a_seed_with_the_baseline(tmp_path: Path) -> None:
    cells = plan_cells(ablation(tmp_path, "ld", readings=("as_released", "as_described")))
    with_controls = [cell.label for cell in cells if cell.settings["probe"]["controls"]]
    assert with_controls == ["baseline as_released seed 0", "baseline as_released seed 3"]
    # They stay where they are when the folder grows by another reading or variant.
    grown = ablation(tmp_path, "hw", readings=("as_described",))
    later = plan_cells(replace(grown, grids=(Grid(("ld",), ("as_released",), (0, 3)), *grown.grids)))
    assert [cell.label for cell in later if cell.settings["probe"]["controls"]] == with_controls


def test_what_is_evaluated_is_part_of_a_cell_and_not_of_its_run(tmp_path: Path) -> None:
    first = ablation(tmp_path, "baseline", readings=("as_described",), seeds=(0,))
    (one,) = plan_cells(first)
    (other,) = plan_cells(replace(first, profile="smoke"))
    (cached,) = plan_cells(replace(first, extra=(f"--probe.cache={tmp_path}",)))
    assert one.run == other.run and one.hash != other.hash and one.folder != other.folder
    assert cached.hash == one.hash
    (clean,) = plan_cells(replace(first, profile=None))
    assert not any(clean.settings[name]["enabled"] for name in ("robustness", "stability", "order", "subspaces"))


def test_written_configuration_is_the_whole_cell(tmp_path: Path) -> None:
    asked = ablation(tmp_path, "baseline", readings=("as_released",), seeds=(5,))
    (cell,) = plan_cells(asked)
    write_record(asked, [cell])
    assert yaml.safe_load(cell.config.read_text()) == cell.settings
    assert resolve_settings(["--config", str(cell.config)]) == cell.settings
    assert load(tmp_path) == asked


def test_cell_of_the_same_run_loses_its_mark_when_its_evaluation_is_replaced(tmp_path: Path) -> None:
    asked = ablation(tmp_path, "baseline", readings=("as_described",), seeds=(0,))
    (old,), (new,) = plan_cells(asked), plan_cells(replace(asked, profile="smoke"))
    for cell, config_hash in ((old, old.run.config_hash), (replace(old, folder=old.folder.with_name("seed0-x")), "x")):
        cell.folder.mkdir(parents=True)
        cell.done_mark.write_text(json.dumps({"hash": cell.hash, "config_hash": config_hash}))
    write_record(asked, [new])
    assert not old.is_done and old.folder.with_name("seed0-x").joinpath("DONE.json").exists()


def test_released_motion_maps_get_micro_batches_of_as_many_clips_as_time_steps(tmp_path: Path) -> None:
    cells = plan_cells(ablation(tmp_path, "motion_guided", seeds=(0,)))
    batches = {
        cell.label: (
            cell.settings["data"]["init_args"]["batch_size"],
            cell.settings["trainer"]["accumulate_grad_batches"],
        )
        for cell in cells
    }
    assert batches.pop("motion_guided as_released seed 0") == (4, 4) and set(batches.values()) == {(16, 1)}
    assert [cell.note for cell in cells if cell.note] == ["micro-batches of 4 clips x 4 in place of 16 x 1"]
    check_cells(cells)
    odd = replace(ablation(tmp_path, "motion_guided", seeds=(0,)), extra=("--data.init_args.batch_size=18",))
    with pytest.raises(UserError, match=r"motion_guided as_released: .* micro-batches of 4 clips.* 18 x 1 = 18 clips"):
        plan_cells(odd)


def test_processes_of_a_run_are_counted(tmp_path: Path) -> None:
    asked = ablation(tmp_path, "baseline", readings=("as_described",), seeds=(0,))
    for words, count in (((), 1), (("--trainer.devices=2",), 2), (("--trainer.devices=[0,1,2]",), 3)):
        assert plan_cells(replace(asked, extra=words))[0].devices == count


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"grids": (Grid(("fmw",)),)}, "did you mean 'fwm'"),
        ({"grids": (Grid(("fwm",), ("as_describd",)),)}, "did you mean 'as_described'"),
        ({"grids": (Grid(("fwm",), seeds=()),)}, "at least one seed"),
        ({"grids": (Grid(("fwm",), seeds=(1, 1)),)}, "seed 1 is given twice"),
        ({"data": "glyph"}, "did you mean 'glyphs'"),
        ({"extra": ("--seed_everything=3",)}, "--seeds"),
        ({"extra": ("--trainer.max_stepz=3",)}, "did you mean 'trainer.max_steps'"),
        ({"extra": ("core",)}, "core"),
    ],
)
def test_bad_requests_are_refused_before_anything_is_written(tmp_path: Path, changes: dict, expected: str) -> None:
    with pytest.raises(UserError) as error:
        plan_cells(replace(ablation(tmp_path, "baseline"), **changes))
    assert expected in str(error.value) and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"probes": ("linear_tim",)}, "did you mean 'linear_time'"),
        ({"probes": ()}, "at least one probe"),
        ({"profile": "cor"}, "did you mean 'core'"),
        ({"preset": "tinny"}, "did you mean 'tiny'"),
        ({"benchmarks": ("diving",)}, "did you mean 'diving48'"),
    ],
)
def test_unknown_names_are_refused(tmp_path: Path, changes: dict, expected: str) -> None:
    with pytest.raises(UserError) as error:
        check_names(replace(ablation(tmp_path, "baseline"), **changes))
    assert expected in str(error.value)


def test_groups_and_globs_stand_for_variants() -> None:
    assert expand(["core"]) == ("baseline", "fwm", "ld", "hw", "fwm_ld", "hw_ld", "fwm_hw_ld")
    assert expand(["hw", "core"])[0] == "hw" and len(expand(["hw", "core"])) == 7
    assert expand(["fwm*"]) == ("fwm", "fwm_hw_ld", "fwm_ld")
    assert set(expand(["study"])) | set(expand(["controls"])) == set(expand(["all"]))
    assert "motion_guided" in expand(["motion"]) and "kinematic_huber" in expand(["kinematics"])
    assert expand(["kinematic"]) == ("kinematic",)
    with pytest.raises(UserError, match="did you mean 'core'"):
        expand(["cores"])
    with pytest.raises(UserError, match="at least one variant"):
        expand([])


def test_broken_record_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="written by vjepa ablation"):
        load(tmp_path)
    save(ablation(tmp_path, "baseline"))
    (tmp_path / "ablation.json").write_text("{")
    with pytest.raises(UserError, match="cannot be read"):
        load(tmp_path)
