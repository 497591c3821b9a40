"""The table of results: what is written is read back, by whatever way; protocols are never mixed."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.cli import main
from experiments.results import Row, write_rows
from experiments.results.table import collect, read_table, rows_of, write_table
from vjepa.errors import UserError

ROW = Row(
    data="glyphs", regime="glyphs", variant="ld", reading="as_described", layout="whole", seed=0, step=4,
    weights="teacher", benchmark="glyphs/motion", split="test", probe="linear_time", subspace="whole",
    corruption="none", severity=0, metric="top1", value=0.5, n=48, protocol_hash="a" * 32, config_hash="b" * 32,
    git_revision="c", versions="d, e",
)  # fmt: skip
ROWS = [
    ROW,
    replace(ROW, variant="fwm", value=0.25),
    replace(ROW, variant="fwm", seed=1, value=math.nan, excluded=2),
    replace(ROW, corruption="blur", severity=3, value=0.125),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_rows(tmp_path / "run.jsonl", ROWS)
    write_table(tmp_path, collect([tmp_path / "run.jsonl"]))
    return tmp_path


@pytest.mark.parametrize("name", [".", "results.parquet", "results.csv", "run.jsonl"])
def test_every_way_gives_the_same_rows(folder: Path, name: str) -> None:
    assert repr(read_table(folder / name)) == repr(ROWS)


def test_mixed_protocols_are_refused_with_the_list(tmp_path: Path) -> None:
    write_rows(tmp_path / "one.jsonl", ROWS)
    write_rows(tmp_path / "two.jsonl", [replace(ROW, variant="hw", protocol_hash="f" * 32)])
    with pytest.raises(UserError, match=r"glyphs/motion, linear_time, top1: .*aaaaaaaa \(ld .*ffffffff \(hw"):
        collect([tmp_path / "one.jsonl", tmp_path / "two.jsonl"])
    # Another question may be answered by another protocol.
    write_rows(tmp_path / "two.jsonl", [replace(ROW, probe="knn", protocol_hash="f" * 32)])
    assert len(rows_of(collect([tmp_path / "one.jsonl", tmp_path / "two.jsonl"]))) == 5


def test_damaged_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "results.jsonl").write_text('{"data": "glyphs", "vari')
    with pytest.raises(UserError, match=r"results\.jsonl"):
        collect([tmp_path / "results.jsonl"])
    with pytest.raises(UserError, match="no such file"):
        read_table(tmp_path / "results.parquet")
    (tmp_path / "results.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="no column"):
        read_table(tmp_path / "results.csv")


def show(folder: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert main(["results", str(folder), *options]) == 0
    return capsys.readouterr().out


def test_rows_are_filtered_sorted_and_printed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = show(folder, capsys, "--where", "variant=fw*", "--sort=-seed")
    assert told.startswith("variant fwm, ") and told.splitlines()[4].split()[-2:] == ["-", "48"]
    assert "0.125" in show(folder, capsys, "--where", "severity>=1") and "2 more rows" in show(
        folder, capsys, "--limit", "2"
    )
    records = json.loads(show(folder, capsys, "--where", "seed!=0", "--format", "json"))
    assert [(record["variant"], record["value"]) for record in records] == [("fwm", None)]
    lines = show(folder, capsys, "--format", "csv", "--columns", "variant,value", "--sort", "value").splitlines()
    assert lines[1].endswith("0.125") and len(lines) == 5
    assert "4 rows" in show(folder, capsys, "--format", "csv", "--out", str(folder / "all.csv"))
    assert repr(read_table(folder / "all.csv")) == repr(ROWS)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--where", "varian=ld"], "did you mean 'variant'"),
        (["--where", "variant=lld"], "did you mean 'ld'"),
        (["--where", "variant"], "expected COLUMN=VALUE"),
        (["--where", "variant>ld"], "is a text"),
        (["--where", "seed=x"], "is a number"),
        (["--where", "seed=9"], "no row is left"),
        (["--sort", "valu"], "did you mean 'value'"),
        (["--columns", "valu"], "did you mean 'value'"),
        (["--limit", "-1"], "expected 0"),
    ],
)
def test_mistakes_are_told(folder: Path, capsys: pytest.CaptureFixture[str], options: list[str], expected: str) -> None:
    assert main(["results", str(folder), *options]) == 2
    assert expected in capsys.readouterr().err
