"""Rows and predictions come back as they were written, and broken files say where."""

from __future__ import annotations

import dataclasses
import json
import math
import subprocess
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from experiments.results import (
    Predictions,
    Row,
    RowStamp,
    git_revision,
    read_predictions,
    read_rows,
    versions,
    write_predictions,
    write_rows,
)
from vjepa.errors import UserError

STAMP = RowStamp("glyphs", "glyphs", "fwm_hw_ld", "as_described", "level", 3, 2000, "teacher", "cafe")
ROW = Row(
    **vars(STAMP),
    benchmark="glyphs/motion",
    split="test",
    probe="linear_time",
    subspace="whole",
    corruption="none",
    severity=0,
    metric="top1",
    value=0.4375,
    n=1024,
    protocol_hash="beef",
)


def some_predictions(seed: int, n: int = 5) -> Predictions:
    rng = np.random.default_rng(seed)
    return Predictions(
        stamp=dataclasses.replace(STAMP, seed=seed),
        benchmark="glyphs/motion",
        probe="linear_time",
        subspace="whole",
        corruption="frame_freeze",
        severity=3,
        index=np.arange(n) * 2,
        video_ids=tuple(f"test/{2 * number}" for number in range(n)),
        labels=rng.integers(0, 3, n),
        predictions=rng.integers(0, 3, n),
        log_probs=rng.normal(size=n).astype(np.float32),
    )


def test_rows_come_back(tmp_path: Path) -> None:
    path = tmp_path / "run" / "results.jsonl"
    rows = [ROW, dataclasses.replace(ROW, metric="log_loss", value=1.25)]
    write_rows(path, rows)
    assert read_rows(path) == rows
    assert len(path.read_text().splitlines()) == 2
    write_rows(path, rows[:1])
    assert read_rows(path) == rows[:1]


def test_an_undefined_value_is_null_and_comes_back_as_nan(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    write_rows(path, [dataclasses.replace(ROW, value=math.nan)])
    assert json.loads(path.read_text())["value"] is None
    assert math.isnan(read_rows(path)[0].value)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"data": "gly', "not JSON"),
        ("[1, 2]", "not a result row"),
        ('{"data": "glyphs"}', "missing or unknown columns .*benchmark"),
        (json.dumps({**dataclasses.asdict(ROW), "seed": "3"}), "column 'seed' holds '3'"),
        (json.dumps({**dataclasses.asdict(ROW), "value": "high"}), "column 'value' holds 'high'"),
        (json.dumps({**dataclasses.asdict(ROW), "probe": None}), "column 'probe' holds None"),
        (json.dumps({**dataclasses.asdict(ROW), "extra": 1}), "unknown columns extra"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: str, reason: str) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(json.dumps(dataclasses.asdict(ROW)) + "\n" + line + "\n")
    with pytest.raises(UserError, match=rf"results.jsonl, line 2: .*{reason}"):
        read_rows(path)


def test_a_missing_or_binary_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read results .*absent.jsonl"):
        read_rows(tmp_path / "absent.jsonl")
    (tmp_path / "binary.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"cannot read results .*binary.jsonl"):
        read_rows(tmp_path / "binary.jsonl")


def test_a_write_that_fails_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    write_rows(path, [ROW])
    unwritable = dataclasses.replace(ROW, variant=object())  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        write_rows(path, [ROW, unwritable])
    assert read_rows(path) == [ROW]
    assert [item.name for item in tmp_path.iterdir()] == ["results.jsonl"]


def test_predictions_come_back(tmp_path: Path) -> None:
    path = tmp_path / "predictions.parquet"
    blocks = [some_predictions(1), some_predictions(2, n=3)]
    write_predictions(path, blocks)
    for ours, theirs in zip(read_predictions(path), blocks, strict=True):
        for item in dataclasses.fields(Predictions):
            assert np.array_equal(getattr(ours, item.name), getattr(theirs, item.name)), item.name


def test_the_columns_of_the_predictions(tmp_path: Path) -> None:
    path = tmp_path / "predictions.parquet"
    block = some_predictions(1)
    write_predictions(path, [block])
    table = pq.read_table(path)
    wanted = {"benchmark", "probe", "weights", "subspace", "corruption", "severity", "index", "video_id"}
    wanted |= {"label", "prediction", "correct", "log_prob", "variant", "seed"}
    assert wanted <= set(table.column_names)
    assert table.column("correct").to_pylist() == (block.labels == block.predictions).tolist()
    assert table.column("video_id").to_pylist() == list(block.video_ids)


def test_broken_predictions_are_named(tmp_path: Path) -> None:
    path = tmp_path / "predictions.parquet"
    write_predictions(path, [some_predictions(1)])
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UserError, match=r"cannot read predictions .*predictions.parquet"):
        read_predictions(path)
    with pytest.raises(UserError, match=r"cannot read predictions .*absent.parquet"):
        read_predictions(tmp_path / "absent.parquet")


def test_versions_name_what_numbers_depend_on() -> None:
    for name in ("python 3.", "torch ", "lightning ", "av ", "x264 "):
        assert name in versions()


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


def test_the_revision_says_when_code_differs(tmp_path: Path) -> None:
    assert git_revision(tmp_path) == "unknown"
    checkout = tmp_path / "checkout"
    (checkout / "vjepa").mkdir(parents=True)
    (checkout / "vjepa" / "a.py").write_text("1\n")
    git(checkout, "init", "-q")
    git(checkout, "add", ".")
    git(checkout, "commit", "-q", "-m", "one")
    git_revision.cache_clear()
    clean = git_revision(checkout)
    assert len(clean) == 12 and int(clean, 16) >= 0
    (checkout / "notes.txt").write_text("not code\n")
    git_revision.cache_clear()
    assert git_revision(checkout) == clean
    assert git_revision(checkout / "vjepa") == "unknown"
    (checkout / "vjepa" / "b.py").write_text("2\n")
    git_revision.cache_clear()
    assert git_revision(checkout) == f"{clean}-dirty"
    git_revision.cache_clear()
