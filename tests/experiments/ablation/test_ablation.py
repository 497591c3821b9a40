"""``vjepa ablation`` from its command to its report, with real training and evaluation of tiny cells."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.ablation.engine import Engine
from experiments.ablation.planning import plan_folder, plan_request
from experiments.ablation.request import Request
from experiments.ablation.run import run_ablation
from experiments.ablation.spec import load
from experiments.ablation.state import evaluation_folders, finished
from experiments.cli import main
from experiments.results.table import read_table
from tests.experiments.ablation.in_process import HERE, TINY, run_here
from vjepa.errors import UserError

SETTINGS = {"extra": TINY, "probes": ("linear_time",), "profile": "smoke", "title": "Tiny"}


def request(out: Path, *variants: str, seeds: tuple[int, ...] | None = (0,)) -> Request:
    return Request(out, variants or None, ("as_described",), seeds, settings=SETTINGS)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of an ablation of ld, with the baseline that the plan adds."""
    folder = tmp_path_factory.mktemp("ablation")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VJEPA_CACHE", str(folder / "cache"))
        assert run_ablation(request(folder / "out", "ld"), HERE) == 0
    return folder


@pytest.fixture
def out(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VJEPA_CACHE", str(made / "cache"))
    return made / "out"


def refuse(cells: object, folder: Path) -> None:
    raise AssertionError("a cell was run")


def test_table_holds_every_encoder_once(out: Path) -> None:
    rows = [row for row in read_table(out) if row.metric == "top1" and row.split == "test" and row.corruption == "none"]
    encoders = [(row.variant, row.weights) for row in rows if row.benchmark == "glyphs/motion"]
    expected = [("baseline", "pixels"), ("baseline", "teacher"), ("ld", "teacher"), ("random_init", "init")]
    assert sorted(encoders) == expected
    assert {row.config_hash for row in rows} == {cell.run.config_hash for cell in plan_folder(out).cells}


def test_report_and_boards_are_there(out: Path) -> None:
    assert all((out / name).stat().st_size for name in ("report.md", "report.html", "results.csv"))
    assert list((out / "board").rglob("events.out.tfevents.*"))


def test_second_run_runs_nothing(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_ablation(request(out, "ld"), Engine(refuse, 1)) == 0  # type: ignore[arg-type]
    assert "2 done" in capsys.readouterr().out


def test_dry_run_shows_the_plan_and_writes_nothing(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert run_ablation(request(out, "ld", "hw", seeds=(0, 1)), Engine(refuse, 2), dry_run=True) == 0  # type: ignore[arg-type]
    told = capsys.readouterr().out
    assert "ld as_described seed 0" in told and "hw as_described seed 1" in told
    assert "2 done, 4 missing" in told and "12 s of work, done in 6 s" not in told
    assert "as finished cells of the same data and preset took" in told and "dry run" in told
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before


def test_folder_grows_by_variants_and_keeps_its_settings(out: Path) -> None:
    plan = plan_request(Request(out, variants=("hw",), seeds=(7,)))
    assert [cell.label for cell in plan.asked] == ["baseline as_described seed 7", "hw as_described seed 7"]
    assert len(plan.cells) == 4 and plan.ablation.extra == TINY and plan.ablation.profile == "smoke"
    assert [cell.label for cell in plan_request(Request(out, seeds=(0, 7))).open] == [
        "baseline as_described seed 7", "ld as_described seed 7",
    ]  # fmt: skip


def test_other_training_is_refused_and_other_evaluation_is_told(out: Path) -> None:
    longer = replace(request(out, "ld"), settings={**SETTINGS, "extra": (*TINY, "--trainer.max_steps=5")})
    with pytest.raises(UserError, match=r"trainer.max_steps 4 there and 5 here.* another --out"):
        plan_request(longer)
    otherwise = plan_request(replace(request(out, "ld"), settings={**SETTINGS, "profile": None}))
    assert "profile smoke before, none now" in otherwise.remarks[-1]
    assert len(otherwise.open) == 2 and all(cell.run.is_done for cell in otherwise.open)


def test_lost_evaluation_is_made_again(out: Path) -> None:
    cell = plan_folder(out).cells[1]
    results = evaluation_folders(cell)[0] / "results.jsonl"
    before = results.read_text()
    results.unlink()
    assert finished(plan_folder(out).cells) == [plan_folder(out).cells[0]]
    assert run_ablation(Request(out), HERE) == 0
    assert results.read_text() == before


def test_failed_cell_is_named_and_the_rest_is_reported(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grids = load(out)
    label = "hw as_described seed 0"
    engine = Engine(lambda cells, folder: run_here(cells, folder, {label: "it burst"}), 1)
    try:
        assert run_ablation(request(out, "hw"), engine) == 1
        assert f"{label}: failed: it burst" in capsys.readouterr().out
        assert "it burst" in (out / "report.md").read_text()
        assert main(["report", str(out)]) == 1
    finally:
        (out / "ablation.json").unlink()
        from experiments.ablation.spec import save

        save(grids)


def test_full_disk_is_one_message(out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("vjepa.storage.tempfile.mkstemp", full)
    with pytest.raises(UserError, match="the disk is full"):
        run_ablation(request(tmp_path / "new", "ld"), Engine(refuse, 1))  # type: ignore[arg-type]
    assert not (tmp_path / "new" / "ablation.json").exists()


def test_second_scheduler_is_refused(out: Path) -> None:
    from experiments.ablation.lock import hold

    with hold(out, "another ablation"), pytest.raises(UserError, match="another ablation"):
        run_ablation(request(out, "ld"), Engine(refuse, 1))  # type: ignore[arg-type]
