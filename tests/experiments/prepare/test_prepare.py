"""``vjepa prepare``: every benchmark that is generated, with a picture of it."""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib.image
import pytest

from experiments.cli import main
from experiments.prepare.command import contact_sheet


def test_kathabench_is_written_checked_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["prepare", "kathabench", "--clips", "80", "--reading", "as_released", "--root", str(tmp_path)]
    assert main([*command, "--sheet", str(tmp_path / "sheet.png")]) == 0
    told = capsys.readouterr().out
    assert "kathabench: " in told and "manifest " in told
    assert [line.split() for line in told.splitlines()[1:4]] == [
        ["train", "56", "clips"],
        ["val", "8", "clips"],
        ["test", "16", "clips"],
    ]
    picture = matplotlib.image.imread(io.BytesIO((tmp_path / "sheet.png").read_bytes()))
    assert picture.shape[0] > 300 and picture.shape[1] > 600 and picture.std() > 0.1
    assert main(command) == 0
    assert capsys.readouterr().out.splitlines()[:4] == told.splitlines()[:4]


def test_a_reading_is_refused_where_there_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prepare", "glyphs", "--reading", "as_released", "--root", str(tmp_path)]) == 2
    assert "glyphs: --reading" in capsys.readouterr().err


def test_a_bad_number_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prepare", "synth", "--clips", "0", "--root", str(tmp_path)]) == 2
    assert "synth: pretrain_clips is 0" in capsys.readouterr().err


def test_a_class_without_a_clip_has_no_row(tmp_path: Path) -> None:
    from data_modules import KathaBenchDataModule

    few = KathaBenchDataModule(root=str(tmp_path), clips=40)  # four validation clips
    picture = matplotlib.image.imread(io.BytesIO(contact_sheet(few)))
    assert picture.shape[0] < 300
