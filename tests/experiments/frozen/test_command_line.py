"""``vjepa probe`` and ``vjepa robustness`` on finished runs: bad input, and two runs side by side."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.cli import BAD_INPUT, main
from experiments.results import read_predictions, read_rows
from experiments.runs import Run
from tests.data_modules.layouts import write_ucf101
from tests.experiments.frozen.tiny_run import (
    copied,
    files,
    reseed,
)


@pytest.fixture(scope="module")
def some_runs(plain: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of runs by what is to be said of them."""
    folder = tmp_path_factory.mktemp("runs")
    made = {
        "run": copied(plain, folder / "run", lambda settings: None),
        "other": copied(plain, folder / "other", reseed),
        "longer": copied(
            plain, folder / "longer", lambda settings: settings["data"]["init_args"].update(num_frames=16)
        ),
        "unfinished": copied(plain, folder / "unfinished", lambda settings: None),
    }
    made["unfinished"].done_mark.unlink()
    return {name: run.folder for name, run in made.items()} | {"tmp": folder}


@pytest.mark.parametrize("verb", ["probe", "robustness"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("{tmp}/nothing",), "is no run"),
        (("{unfinished}",), "is not finished"),
        (("{run}", "{other}"), "--out"),
        (("{run}", "{run}", "--out={tmp}/out"), "given twice"),
        (("{run}", "{longer}", "--out={tmp}/out"), "clips of one shape"),
        (("{run}", "--benchmark=glyphs:tests=3"), "no option 'tests'"),
        (("{run}", "--benchmark=glyph"), "did you mean 'glyphs'"),
        (("{run}", "--benchmark=glyphs:tests"), "KEY=VALUE"),
        (("{run}", "--probes=linear_tim"), "did you mean 'linear_time'"),
        (("{run}", "--probes="), "at least one probe"),
        (("{run}", "--subspaces=within_level.ap", "--probes=linear_mean"), "did you mean 'within_level.app'"),
        (("{run}", "--num-test=0"), "num_test is 0"),
        (("{run}", "--device=abacus"), "device 'abacus'"),
    ],
)
def test_bad_command_lines(
    verb: str, options: tuple[str, ...], message: str, some_runs: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(some_runs["tmp"])
    assert main([verb, *(option.format(**some_runs) for option in options)]) == BAD_INPUT
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert files(some_runs["tmp"]) == before


def test_two_runs_side_by_side(some_runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Controls of each seed, pixels once; rows in both runs."""
    folders = [shutil.copytree(some_runs[name], tmp_path / name) for name in ("run", "other")]
    limits = ("--num-train=24", "--num-val=16", "--num-test=12", "--probes=linear_mean", "--device=cpu")
    assert main(["probe", *map(str, folders), f"--out={tmp_path / 'out'}", *limits]) == 0
    assert "results:" in capsys.readouterr().out
    rows = read_rows(tmp_path / "out" / "glyphs" / "results.jsonl")
    found = {(row.variant, row.seed, row.weights) for row in rows}
    assert found == {
        *(("fwm_hw_ld", seed, "teacher") for seed in (0, 1)),
        *(("random_init", seed, "init") for seed in (0, 1)),
        ("fwm_hw_ld", 0, "pixels"),
    }
    for folder, seed in zip(folders, (0, 1), strict=True):
        assert {row.seed for row in read_rows(folder / "results.jsonl")} == {seed}


def test_many_views_of_a_benchmark(
    some_runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line says so, a prediction a video, rows of their own beside those of one view."""
    monkeypatch.setenv("DATA_ROOT", str(tmp_path))
    write_ucf101(tmp_path)
    run = shutil.copytree(some_runs["run"], tmp_path / "run")
    words = ("probe", str(run), "--probes=linear_mean", "--device=cpu", "--no-controls")
    found = {}
    for options in ("", ",eval_clips=4,eval_crops=3"):
        assert main([*words, f"--benchmark=ucf101:val_ratio=0.3{options}"]) == 0
        said = "4 clips x 3 crops of each video" in capsys.readouterr().out
        assert said == bool(options)
        (block,) = read_predictions(run / "evaluation" / "ucf101" / "predictions.parquet")
        assert len(set(block.video_ids)) == len(block.video_ids) == 18
        found[options] = block
    one, several = found.values()
    assert one.video_ids == several.video_ids and not np.allclose(one.log_probs, several.log_probs, atol=1e-6)
    kept = [row for row in read_rows(run / "results.jsonl") if row.benchmark == "ucf101" and row.metric == "top1"]
    assert [row.n for row in kept if row.split == "test"] == [18, 18]
    assert len({row.protocol_hash for row in kept if row.split == "test"}) == 2
    assert len([row for row in kept if row.split == "val"]) == 1, "it is the same probe"
