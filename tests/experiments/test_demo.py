"""The whole job at its smallest size, each cell in processes of its own, as a newcomer starts it."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest

from experiments.cli import main
from experiments.results import read_rows
from experiments.results.table import read_table

SMALL = ["--steps", "4", "--train-clips", "64", "--test-clips", "96", "--probes", "linear_time"]


@pytest.mark.slow
def test_demo_trains_evaluates_and_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VJEPA_CACHE", str(tmp_path / "cache"))
    out = tmp_path / "out"
    assert main(["demo", "--out", str(out), *SMALL]) == 0
    rows = [row for row in read_table(out) if row.metric == "top1" and row.split == "test" and row.subspace == "whole"]
    encoders = {(row.variant, row.weights) for row in rows}
    assert encoders == {
        ("baseline", "pixels"),
        ("random_init", "init"),
        ("baseline", "teacher"),
        ("fwm_hw_ld", "teacher"),
    }
    damaged = {(row.corruption, row.severity) for row in rows}
    assert damaged == {("none", 0), ("gaussian_noise", 3), ("frame_freeze", 3), ("h264_crf", 3)}
    html = (out / "report.html").read_text()
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    assert pictures and all(base64.b64decode(picture).startswith(b"\x89PNG") for picture in pictures)
    assert "One pretraining seed" in (out / "report.md").read_text()
    shipped = read_rows(out / "shipped" / "results.jsonl")
    shipped = [row for row in shipped if row.metric == "top1" and row.split == "test"]
    assert {(row.variant, row.step) for row in shipped} == {("baseline", 2500), ("fwm_hw_ld", 2500)}
    assert {row.corruption for row in shipped} == {row.corruption for row in rows}
    assert "fwm_hw_ld" in capsys.readouterr().out.partition("ship with the project")[2]
    assert main(["demo", "--out", str(out), *SMALL]) == 0
    assert "2 done" in capsys.readouterr().out
